"""``retrain``."""

import pytest

from tests.pruning.cli.common import SMALL, error_of, run_json, run_text, write_json

SHORT = ["retrain", *SMALL, "--epochs", "1", "--rounds", "2", "--device", "cpu"]


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_RUNS", str(tmp_path / "runs"))


def test_json_has_the_whole_run(capsys):
    content = run_json(capsys, *SHORT, "--schedule", "iterative", "--target", "0.92", "--seed", "3")
    assert content.keys() >= {
        "recipe",
        "schedule",
        "dense",
        "final",
        "epochs",
        "seconds",
        "device",
    }
    assert content["final"]["sparsity"] == pytest.approx(0.92, abs=1e-5)
    assert content["final"]["accuracy"] == content["final"]["correct"] / 360
    assert [record["round"] for record in content["epochs"]] == [1, 2]
    assert content["epochs"][0].keys() >= {
        "epoch",
        "round",
        "loss",
        "train_accuracy",
        "validation_accuracy",
        "sparsity",
        "seconds",
    }
    assert content["device"] == "cpu" and content["schedule"]["seed"] == 3
    assert content["seconds"] > 0


def test_text_names_the_run_and_its_accuracy(capsys):
    text = run_text(capsys, *SHORT, "--target", "0.5")
    assert text.startswith("lenet300-digits-finetune-") and "(dense 98.61%)" in text


def test_a_recipe_file_and_a_run_can_be_retrained(capsys, tmp_path):
    first = run_json(capsys, *SHORT, "--target", "0.5")
    path = write_json(tmp_path / "recipe.json", first["recipe"])
    again = run_json(capsys, *SHORT, "--steps", path)
    assert again["name"] == first["name"]
    second = run_json(capsys, *SHORT, "--target", "0.5", "--checkpoint", first["name"])
    assert second["final"]["sparsity"] == pytest.approx(0.75, abs=1e-5)
    assert second["dense"] == first["dense"]


def test_recoveries_and_options_reach_the_run(capsys):
    content = run_json(capsys, *SHORT, "--target", "0.9", "--recovery", "reconstruct")
    assert content["recipe"]["recovery"] == ["reconstruct"]
    gradual = ["--schedule", "gradual", "--target", "0.9", "--option", "interval=5"]
    content = run_json(capsys, *SHORT, *gradual)
    assert content["schedule"]["options"]["interval"] == 5


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "give --target"),
        (["--target", "2"], "sparsity must be between 0 and 1"),
        (
            ["--target", "0.5", "--schedule", "fast"],
            "unknown schedule 'fast': choose from finetune",
        ),
        (["--target", "0.5", "--epochs", "0"], "epochs must be a whole number from 1"),
        (
            ["--target", "0.5", "--device", "tpu"],
            "'tpu' is not one of 'auto', 'cpu', 'cuda', 'mps'",
        ),
        (["--target", "0.5", "--option", "interval"], "--option must be like interval=50"),
        (["--target", "0.5", "--option", "x=1"], "finetune has no option 'x'"),
        (["--target", "0.5", "--schedule", "lottery", "--recovery", "reconstruct"], "recoveries"),
        (["--target", "0.5", "--method", "filters"], "unknown method"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, message):
    assert message in error_of(capsys, *SHORT, *arguments)


def test_an_unknown_run_is_named(capsys):
    arguments = [*SHORT, "--target", "0.5", "--checkpoint", "gone"]
    assert "the run gone is not on this machine" in error_of(capsys, *arguments, code=1)


def test_steps_exclude_options_of_a_step(capsys, tmp_path):
    path = write_json(tmp_path / "steps.json", [{"method": "weight", "value": 0.5}])
    arguments = [*SHORT, "--steps", path, "--target", "0.5"]
    assert "leave out --target" in error_of(capsys, *arguments)
