"""``benchmark``."""

import pytest
import torch

from pruning.data import datasets
from pruning.models import checkpoints
from tests.pruning.cli.common import error_of, run_json, run_text

SMALL = [
    "benchmark",
    "one-shot",
    "--network",
    "mlpnet",
    "--dataset",
    "digits",
    "--draws",
    "2",
    "--calibration",
    "50",
    "--sparsities",
    "0.5,0.9",
]


@pytest.mark.slow
def test_json_has_every_accuracy(capsys):
    content = run_json(capsys, *SMALL, "--images", "100")
    [result] = content["benchmarks"]
    assert (result["network"], result["dataset"]) == ("mlpnet", "digits")
    assert (result["draws"], result["calibration"], result["max_test_images"]) == (2, 50, 100)
    assert (result["sparsities"], result["published"]) == ([0.5, 0.9], None)
    masked, reconstruct = result["measured"]["masked"], result["measured"]["reconstruct"]
    assert [len(item["accuracies"]) for item in (*masked, *reconstruct)] == [1, 1, 2, 2]
    assert masked[0]["deviation"] is None and reconstruct[1]["deviation"] >= 0
    assert content["skipped"] == []


@pytest.mark.slow
def test_text_and_document(capsys, tmp_path):
    document = tmp_path / "results.md"
    document.write_text("# Results\n\nOther.\n")
    text = run_text(capsys, *SMALL, "--write", str(document))
    assert text.startswith("One-shot pruning: MLPNet on Digits\ndense 98.06\n")
    assert "points lost, each relative to its own dense network" in text
    written = document.read_text()
    assert written.startswith("# Results\n\nOther.\n\n<!-- begin: One-shot pruning: MLPNet")
    assert (
        "| sparsity | masked | reconstruct | obs + reconstruct | obs greedy + reconstruct |"
        in written
    )


@pytest.mark.slow
def test_a_checkpoint_of_others(capsys, tmp_path):
    path, document = tmp_path / "other.pth", tmp_path / "results.md"
    state = checkpoints.load("mlpnet", "digits").state_dict()
    torch.save({"state_dict": {f"module.{name}": -value for name, value in state.items()}}, path)
    options = ["--checkpoint", str(path), "--std", "0.3", "--write", str(document)]
    content = run_json(capsys, *SMALL, *options)
    assert content["benchmarks"][0]["dense"] < 0.3  # with the sign of every weight changed
    assert "MLPNet on Digits, other.pth -->" in document.read_text()
    assert "--checkpoint other.pth --std 0.3`" in document.read_text()


def test_benchmarks_whose_data_are_missing_are_skipped_by_name(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path))
    assert not datasets.available("mnist")
    text = run_text(capsys, "benchmark", "one-shot")
    assert text.splitlines() == [
        "skipped, as its data or its checkpoint is missing: resnet20 on cifar10",
        "skipped, as its data or its checkpoint is missing: mlpnet on mnist",
    ]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--dataset", "digits"], "--dataset needs --network"),
        (["--network", "vgg"], "unknown network 'vgg'"),
        (["--network", "lenet5"], "no published benchmark of lenet5: give --dataset"),
        (["--checkpoint", "x.pth"], "--checkpoint needs --network"),
        (["--network", "mlpnet", "--std", "0.3"], "--std is for the network of --checkpoint"),
        (["--sparsities", "a"], "must be numbers separated by commas, not 'a'"),
        (["--network", "mlpnet", "--draws", "0"], "draws must be a whole number from 1"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, message):
    assert message in error_of(capsys, "benchmark", "one-shot", *arguments)


def test_a_file_that_does_not_fit_is_status_1(capsys, tmp_path):
    path = tmp_path / "other.pth"
    torch.save({"fc1.weight": torch.zeros(40, 784)}, path)
    message = error_of(capsys, *SMALL, "--checkpoint", str(path), code=1)
    assert "holds 1 tensors, but a mlpnet for digits has 3" in message
    message = error_of(capsys, *SMALL, "--checkpoint", str(tmp_path / "no.pth"), code=1)
    assert "no.pth: no such file" in message
