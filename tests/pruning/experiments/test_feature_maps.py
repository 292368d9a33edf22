import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pruning.data import datasets
from pruning.data.datasets import DATASETS, normalise
from pruning.engine.prune import prune
from pruning.experiments.feature_maps import measure_activity, observed_modules, trace_image
from pruning.experiments.predictions import predict
from pruning.models import checkpoints, prunable
from pruning.recipe.recipe import Recipe

RECIPE = Recipe.one_step("lenet5", "digits", method="filter", scope="layer", value=0.5)
PAIRS = [pair for pair in checkpoints.shipped() if pair[1] == "digits"]


@pytest.mark.parametrize("network, dataset", PAIRS)
def test_every_layer_is_observed(network, dataset):
    model = checkpoints.shared_model(network, dataset)
    observed = observed_modules(model)
    assert list(observed) == list(prunable(model))
    last = list(observed)[-1]
    for layer, name in observed.items():
        module = model.get_submodule(name)
        is_added = layer.endswith(("block.conv2", ".conv2", "shortcut.conv")) and "block" in layer
        expected = nn.BatchNorm2d if is_added else nn.Linear if layer == last else nn.ReLU
        assert isinstance(module, expected), layer


def test_outputs_of_lenet5_agree_with_its_formula():
    network = prune(RECIPE).network
    pixels = datasets.load("digits", "test").pixels[7]
    trace = trace_image(network, pixels, "digits")
    model = network.copy()
    with torch.inference_mode():
        x = normalise(pixels[None], DATASETS["digits"])
        first = F.relu(
            F.max_pool2d(F.conv2d(x, model.conv1.weight, model.conv1.bias, padding=2), 2)
        )
        second = F.relu(F.max_pool2d(F.conv2d(first, model.conv2.weight, model.conv2.bias), 2))
        hidden = F.relu(model.fc1(second.flatten(1)))
    assert np.allclose(trace.maps["conv1"], first[0], atol=1e-5)
    assert np.allclose(trace.maps["conv2"], second[0], atol=1e-5)
    assert np.allclose(trace.maps["fc1"], hidden[0], atol=1e-4)
    predicted = predict([RECIPE]).predictions[0].probabilities[7]
    assert np.allclose(trace.probabilities, predicted, atol=1e-4)


def test_pixels_that_are_removed_are_not_seen():
    recipe = Recipe.one_step("lenet5", "digits", method="feature", criterion="random", value=0.9)
    network = prune(recipe).network
    pixels = datasets.load("digits", "test").pixels[3]
    predicted = predict([recipe]).predictions[0].probabilities[3]
    assert np.allclose(trace_image(network, pixels, "digits").probabilities, predicted, atol=1e-4)


@pytest.mark.parametrize("network", ["lenet5", "resnet20"])
def test_removed_filters_are_dead(network):
    recipe = Recipe.one_step(network, "digits", method="filter", scope="layer", value=0.5)
    pruned = prune(recipe)
    activity = measure_activity(pruned.network, "digits", 64)
    for layer, shares in pruned.removed_share_by_unit.items():
        assert set(np.flatnonzero(shares == 1)) <= set(activity[layer].dead)


def test_units_with_a_bias_and_no_weights_are_constant():
    pruned = prune(Recipe.one_step("lenet300", "digits", value=0.99))
    activity = measure_activity(pruned.network, "digits", 64)["fc1"]
    bias = pruned.network.copy().fc1.bias.detach().numpy()
    without_weights = pruned.removed_share_by_unit["fc1"] == 1
    assert set(activity.constant) == set(np.flatnonzero(without_weights & (bias > 0)))
    assert set(np.flatnonzero(without_weights & (bias <= 0))) <= set(activity.dead)
    assert len(activity.constant)


def test_the_activity_agrees_with_the_outputs_of_single_images():
    network = prune(RECIPE).network
    images = datasets.calibration("digits", 70).pixels
    activity = measure_activity(network, "digits", 70)
    maps = [trace_image(network, image, "digits").maps["conv2"] for image in images]
    outputs = np.stack(maps)  # (images, channels, height, width)
    assert np.allclose(activity["conv2"].mean, outputs.mean((0, 2, 3)), atol=1e-4)
    assert np.allclose(activity["conv2"].active_share, (outputs > 0).any((2, 3)).mean(0))
    assert not len(activity["fc3"].dead)
