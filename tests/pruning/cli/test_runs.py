"""``runs list | show | export | delete``."""

import zipfile

import pytest

from tests.pruning.cli.common import SMALL, error_of, run_json, run_text


@pytest.fixture
def run_name(tmp_path, monkeypatch, capsys) -> str:
    monkeypatch.setenv("PRUNESCOPE_RUNS", str(tmp_path / "runs"))
    arguments = ["retrain", *SMALL, "--target", "0.5", "--epochs", "2", "--device", "cpu"]
    return run_json(capsys, *arguments)["name"]


def test_a_run_is_listed_and_shown(capsys, run_name):
    text = run_text(capsys, "runs", "list")
    assert run_name in text and "finished" in text and "1 runs in" in text
    [info] = run_json(capsys, "runs", "list")
    assert info["name"] == run_name and info["finished_epochs"] == 2
    shown = run_json(capsys, "runs", "show", run_name)
    assert len(shown["epochs"]) == 2 and shown["final"]["sparsity"] == pytest.approx(0.5)
    assert run_text(capsys, "runs", "show", run_name).count("  epoch ") == 2


def test_a_run_is_exported_and_deleted(capsys, run_name, tmp_path):
    file = tmp_path / "run.zip"
    run_text(capsys, "runs", "export", run_name, str(file))
    with zipfile.ZipFile(file) as archive:
        names = {name.partition("/")[2] for name in archive.namelist()}
    assert names == {"run.json", "records.json", "card.json", "network.safetensors"}
    assert "is deleted" in run_text(capsys, "runs", "delete", run_name)
    assert "0 runs in" in run_text(capsys, "runs", "list")


@pytest.mark.parametrize("command", [["show", "gone"], ["export", "gone", "x"], ["delete", "gone"]])
def test_an_unknown_run_is_named(capsys, run_name, command):
    assert "gone" in error_of(capsys, "runs", *command, code=1)
