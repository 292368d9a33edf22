"""``prune --masks --weights --program``: files that other programs can read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pruning.data import datasets
from pruning.models import checkpoints
from pruning.recipe.compatibility import layers_for
from tests.pruning.cli.common import run_json


@dataclass(frozen=True)
class Outputs:
    """Paths of the three files."""

    masks: Path
    weights: Path
    program: Path

    @property
    def options(self) -> list[str]:
        options = ["--masks", self.masks, "--weights", self.weights, "--program", self.program]
        return [str(option) for option in options]


@pytest.fixture
def outputs(tmp_path) -> Outputs:
    return Outputs(tmp_path / "m.safetensors", tmp_path / "w.safetensors", tmp_path / "p.pt2")


def program_accuracy(program: Path, dataset: str, count: int) -> float:
    """Accuracy of an exported program on the first test images."""
    module = torch.export.load(program).module()
    images = datasets.load(dataset, "test")
    assert module(images.pixels[:1].float() / 255).shape == (1, 10)
    predictions = []
    for pixels in images.pixels[:count].split(500):
        predictions.append(module(pixels.float() / 255).argmax(1))
    return float((torch.cat(predictions) == images.labels[:count]).float().mean())


def check_files(content: dict[str, Any], network: str, dataset: str, outputs: Outputs) -> None:
    kept, state = load_file(outputs.masks), load_file(outputs.weights)
    kept_counts = {f"{layer['name']}.weight": layer["kept"] for layer in content["layers"]}
    assert {name: int(mask.sum()) for name, mask in kept.items()} == kept_counts
    for mask in kept.values():
        assert mask.dtype == torch.uint8
        assert set(mask.unique().tolist()) <= {0, 1}
    dense = checkpoints.load(network, dataset).state_dict()
    assert set(state) == set(dense)
    for name, tensor in dense.items():
        expected = torch.where(kept[name].bool(), tensor, 0) if name in kept else tensor
        assert torch.equal(state[name], expected)
    pruned = content["pruned"]
    accuracy = program_accuracy(outputs.program, dataset, pruned["images"])
    assert accuracy == pytest.approx(pruned["accuracy"], abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("network", ["lenet300", "lenet5", "resnet20"])
def test_files_hold_the_masked_network(capsys, outputs, network):
    layers = ",".join(layers_for(network, "weight", "")[1:])
    base = ["prune", "--network", network, "--dataset", "digits"]
    options = ["--sparsity", "0.7", "--layers", layers]
    content = run_json(capsys, *base, *options, *outputs.options)
    check_files(content, network, "digits", outputs)


@pytest.mark.slow
@pytest.mark.parametrize(
    "network, dataset, images", [("lenet5", "mnist", 10_000), ("resnet20", "cifar10", 1_000)]
)
def test_the_program_has_the_same_accuracy_on_real_data(
    capsys, outputs, real, network, dataset, images
):
    real(dataset)
    base = ["prune", "--network", network, "--dataset", dataset]
    options = ["--sparsity", "0.6", "--images", str(images)]
    content = run_json(capsys, *base, *options, *outputs.options)
    check_files(content, network, dataset, outputs)


@pytest.mark.parametrize(
    "network, options",
    [
        ("lenet300", ["--method", "feature", "--sparsity", "0.4"]),
        ("lenet5", ["--method", "layer", "--sparsity", "0.7"]),
        pytest.param(
            "resnet20", ["--method", "layer", "--sparsity", "0.3"], marks=pytest.mark.slow
        ),
        pytest.param(
            "resnet20",
            ["--method", "filter", "--grouping", "across", "--scope", "layer", "--sparsity", "0.2"],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_files_hold_the_result_of_every_method(capsys, outputs, network, options):
    base = ["prune", "--network", network, "--dataset", "digits"]
    content = run_json(capsys, *base, *options, *outputs.options)
    accuracy = program_accuracy(outputs.program, "digits", 360)
    assert accuracy == pytest.approx(content["pruned"]["accuracy"], abs=1e-6)
    kept, state = load_file(outputs.masks), load_file(outputs.weights)
    assert set(kept) <= set(state)
    for name, mask in kept.items():
        assert mask.shape[-2:] == state[name].shape[-2:]
        assert (state[name][mask == 0] == 0).all()
    assert ("input" in kept) == ("feature" in options)


@pytest.mark.slow
def test_a_report_and_sparse_weights(capsys, tmp_path):
    report, sparse = tmp_path / "report.html", tmp_path / "sparse.safetensors"
    options = ["--network", "lenet300", "--dataset", "digits", "--sparsity", "0.9"]
    content = run_json(capsys, "prune", *options, "--report", str(report), "--sparse", str(sparse))
    assert "removal" not in content
    assert "<h2>Costs</h2>" in report.read_text(encoding="utf-8")
    tensors = load_file(sparse)
    kept = {layer["name"]: layer["kept"] for layer in content["layers"]}
    for name, count in kept.items():
        assert len(tensors[f"{name}.weight.values"]) == count
