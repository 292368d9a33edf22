import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pruning.data import datasets
from pruning.engine.evaluate import evaluate
from pruning.engine.export import save_masks, save_program, save_weights
from pruning.engine.prune import prune, trained_model
from pruning.experiments.budgets import Budget, match_budget
from pruning.recipe.recipe import Recipe
from pruning.recipe.step import Step

one_step = Recipe.one_step
FILTERS = one_step("lenet5-caffe", "digits", method="filter", scope="layer", value=0.7)
PIXELS = one_step("lenet300", "digits", method="feature", criterion="random", value=0.5)
IMAGES = 2_000
"""Of the test images, which a program of a large network classifies."""


def test_masks_have_a_tensor_for_every_prunable_weight(tmp_path, recipe):
    pruned = prune(recipe.with_last_step(layers=("fc1",)))
    save_masks(pruned, tmp_path / "masks.safetensors")
    masks = load_file(tmp_path / "masks.safetensors")
    assert set(masks) == {"fc1.weight", "fc2.weight", "fc3.weight"}
    for name, mask in masks.items():
        assert mask.dtype == torch.uint8
        assert int(mask.sum()) == pruned.kept_weights[name.removesuffix(".weight")]


def test_masks_of_biases_and_of_the_image_are_written_where_there_are_any(tmp_path):
    save_masks(prune(FILTERS), tmp_path / "filters.safetensors")
    assert "conv1.bias" in load_file(tmp_path / "filters.safetensors")
    save_masks(prune(PIXELS), tmp_path / "pixels.safetensors")
    assert int(load_file(tmp_path / "pixels.safetensors")["input"].sum()) == 392


def test_weights_are_the_masked_state(tmp_path, recipe):
    pruned = prune(recipe)
    save_weights(pruned, tmp_path / "weights.safetensors")
    state = load_file(tmp_path / "weights.safetensors")
    dense = trained_model(recipe).state_dict()
    assert set(state) == set(dense)
    for name, value in state.items():
        expected = dense[name] * pruned.masks[name] if name in pruned.masks else dense[name]
        assert torch.equal(value, expected)


def test_weights_of_the_compact_network(tmp_path):
    pruned = prune(FILTERS)
    save_weights(pruned, tmp_path / "weights.safetensors", compact=True)
    state = load_file(tmp_path / "weights.safetensors")
    assert sum(tensor.numel() for tensor in state.values()) == pruned.effective.parameters == 40_081


RUN = """
import sys, numpy, torch
module = torch.export.load(sys.argv[1]).module()
data = numpy.load(sys.argv[2])
x = torch.from_numpy(data["x_test"])
x = (x[:, None] if x.ndim == 3 else x.permute(0, 3, 1, 2)).float() / 255
y = torch.from_numpy(data["y_test"].astype("int64")).flatten()
with torch.no_grad():
    print(sum(int((module(a).argmax(1) == b).sum()) for a, b in zip(x.split(250), y.split(250))))
"""


def run_program(program, data) -> int:
    """Correct images, counted by a program that has only PyTorch and NumPy."""
    completed = subprocess.run(
        [sys.executable, "-c", RUN, str(program), str(data)],
        capture_output=True,
        text=True,
        check=True,
        cwd=program.parent,
    )
    return int(completed.stdout)


def first_images(dataset: str, path: Path) -> Path:
    """Write the images that an evaluation of the first ones classifies, as in a data file."""
    images = datasets.load(dataset, "test")
    pixels = images.pixels[:IMAGES].permute(0, 2, 3, 1).numpy()
    np.savez(path, x_test=pixels, y_test=images.labels[:IMAGES].numpy())
    return path


LAYERS = Recipe("lenet5", "digits", (Step(method="layer", value=0.4), Step()))
SUBNETWORK = one_step("resnet20", "digits", method="layer", grouping="subnetwork", value=0.34)


@pytest.mark.parametrize(
    "recipe, compact",
    [
        (FILTERS, False),
        (PIXELS, False),
        (PIXELS, True),
        (LAYERS, True),
        (SUBNETWORK, True),
    ],
    ids=[
        "filters masked",
        "pixels masked",
        "pixels compact",
        "layers compact",
        "subnetwork compact",
    ],
)
def test_a_program_gives_the_logits_of_the_masked_network(tmp_path, recipe, compact):
    pruned = prune(recipe)
    save_program(pruned, tmp_path / "program.pt2", compact=compact)
    module = torch.export.load(tmp_path / "program.pt2").module()
    images = datasets.load("digits", "test").pixels[:20]
    normalised = datasets.normalise(images, datasets.DATASETS["digits"])
    mask = pruned.network.input_mask
    with torch.no_grad():
        expected = pruned.network.copy()(normalised if mask is None else normalised * mask)
        for count in (20, 1):  # any number of images
            logits = module(images[:count].float() / 255)
            torch.testing.assert_close(logits, expected[:count], atol=1e-4, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("network, dataset", [("lenet5-caffe", "mnist"), ("resnet20", "cifar10")])
def test_a_compact_program_has_the_accuracy_of_the_evaluation(tmp_path, real, network, dataset):
    real(dataset)
    recipe = one_step(network, dataset, method="filter", scope="layer", value=0.7)
    data = datasets.path_of(dataset)
    if network == "resnet20":
        across = recipe.with_last_step(grouping="across")
        matched = match_budget(across, Budget("macs", 0.5))
        recipe = replace(matched.recipe, max_test_images=IMAGES)
        data = first_images(dataset, tmp_path / "images.npz")
        share = prune(recipe).effective.macs / 40_813_184
        assert matched.problem == "" and share == pytest.approx(0.5, abs=0.01)
    save_program(prune(recipe), tmp_path / "p.pt2", compact=True)
    [evaluation] = evaluate([recipe])
    correct = run_program(tmp_path / "p.pt2", data)
    assert correct == evaluation.accuracy.correct


def test_the_shared_network_is_not_modified(tmp_path, recipe):
    before = {k: v.clone() for k, v in trained_model(recipe).state_dict().items()}
    save_program(prune(recipe), tmp_path / "p.pt2")
    after = trained_model(recipe).state_dict()
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value)
