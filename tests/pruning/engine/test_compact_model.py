"""The network after physical removal computes what the masked one does."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from pruning.cost.macs import measure_cost
from pruning.engine.prune import prune, trained_model
from pruning.methods.criteria import CRITERIA
from pruning.methods.removal import remove
from pruning.methods.units import METHODS
from pruning.models import checkpoints
from pruning.recipe.compatibility import groupings_for
from pruning.recipe.recipe import Recipe
from pruning.recipe.step import Step

NETWORKS = [network for network, dataset in checkpoints.shipped() if dataset == "digits"]
IMAGES = torch.randn(16, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def largest_difference(recipe: Recipe, dtype: torch.dtype) -> float:
    """Of the logits of the masked network and of the compact one, computed in a dtype."""
    network = prune(recipe).network
    parameters = {}
    for name, value in network.masked_parameters().items():
        parameters[name] = value.to(dtype)
    masked = network.copy().to(dtype)
    compact = remove(copy.deepcopy(network.model).to(dtype), parameters, 1, 28)
    x = IMAGES.to(dtype)
    masked_x = x if network.input_mask is None else x * network.input_mask
    return float((masked(masked_x) - compact(x)).abs().max())


def criterion_for(method: str) -> str:
    return "magnitude" if method in CRITERIA["magnitude"].applies_to else "random"


def count_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "network",
    ["lenet300", "lenet5", *(pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS[2:])],
)
@settings(max_examples=8)
@given(
    share=st.sampled_from([0.0, 0.1, 0.5, 0.9, 0.97, 0.995, 1.0]),
    scope=st.sampled_from(["global", "layer"]),
    data=st.data(),
)
def test_the_compact_network_gives_the_logits_of_the_masked_one(
    network, method, share, scope, data
):
    recipe = Recipe.one_step(
        network,
        "digits",
        method=method,
        grouping=data.draw(st.sampled_from(groupings_for(network, method) or [""])),
        criterion=criterion_for(method),
        value=share,
        scope=scope,
        calibration=64,
    )
    assert largest_difference(recipe, torch.float32) < 1e-4
    assert largest_difference(recipe, torch.float64) < 1e-9


@pytest.mark.parametrize("network", NETWORKS)
def test_several_steps(network):
    steps = (
        Step(method="layer", value=0.4),
        Step(method="filter", value=0.5, scope="layer"),
        Step(value=0.9, scope="layer"),
        Step(method="feature", criterion="random", value=0.5),
    )
    recipe = Recipe(network, "digits", steps, calibration=64)
    assert largest_difference(recipe, torch.float32) < 1e-4
    assert largest_difference(recipe, torch.float64) < 1e-9
    compact = prune(recipe).compact_model
    assert count_parameters(compact) < count_parameters(trained_model(recipe))


def test_a_masked_pixel_has_no_effect_although_weights_still_read_it():
    steps = (
        Step(method="feature", criterion="random", value=1.0),
        Step(criterion="random", value=0.996, layers=("fc1",)),
    )
    recipe = Recipe("lenet300", "digits", steps)
    assert largest_difference(recipe, torch.float32) < 1e-6
    assert largest_difference(recipe, torch.float64) < 1e-12


@pytest.mark.parametrize("value", [0.99, 0.998])
def test_every_remaining_unit_has_incoming_and_outgoing_weights(value):
    model = prune(Recipe.one_step("lenet300", "digits", value=value)).compact_model
    for name in ("fc1", "fc2", "fc3"):
        nonzero = model.get_parameter(f"{name}.weight").ne(0)
        assert nonzero.any(0).all(), "an input without outgoing weights"
        assert name == "fc3" or nonzero.any(1).all(), "a neuron without incoming weights"


def cost_by_hooks(model: nn.Module) -> tuple[int, int]:
    """Parameters and MACs, from the shapes of the activations of a forward pass."""
    macs = []

    def count(layer, inputs, output):
        fan_in = inputs[0].shape[1]
        if isinstance(layer, nn.Conv2d):
            fan_in *= layer.kernel_size[0] * layer.kernel_size[1]
        macs.append(fan_in * output[0].numel())

    model = copy.deepcopy(model)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    model(torch.zeros(1, 1, 28, 28))
    return count_parameters(model), sum(macs)


RECIPES = [
    Recipe.one_step("lenet5-caffe", "digits", method="filter", scope="layer", value=0.7),
    Recipe.one_step(
        "resnet20", "digits", method="filter", grouping="across", scope="layer", value=0.3
    ),
    Recipe.one_step("lenet300", "digits", method="feature", criterion="random", value=0.5),
    Recipe.one_step("lenet5", "digits", method="layer", criterion="random", value=0.7),
    Recipe.one_step("resnet20", "digits", method="layer", value=1.0),
    Recipe.one_step("lenet5", "digits", method="layer", grouping="subnetwork", value=1.0),
    Recipe.one_step("resnet20", "digits", method="layer", grouping="subnetwork", value=0.7),
    Recipe.one_step("lenet5", "digits", value=0.97),
]


@pytest.mark.parametrize(
    "recipe", RECIPES, ids=lambda recipe: f"{recipe.network}-{recipe.last_step.method}"
)
def test_the_cost_is_that_of_an_independent_count(recipe):
    compact = prune(recipe).compact_model
    cost = measure_cost(compact, "digits")
    assert (cost.parameters, cost.macs) == cost_by_hooks(compact)
    assert cost.parameters < count_parameters(trained_model(recipe))


def test_shapes_of_a_network_with_fewer_filters():
    recipe = Recipe.one_step(
        "lenet5-caffe", "digits", method="filter", criterion="random", scope="layer", value=0.7
    )
    model = prune(recipe).compact_model
    shapes = {}
    for name, parameter in model.named_parameters():
        if name.endswith(".weight"):
            shapes[name] = tuple(parameter.shape)
    assert shapes == {
        "conv1.weight": (6, 1, 5, 5),
        "conv2.weight": (15, 6, 5, 5),
        "fc1.weight": (150, 15 * 16),
        "fc2.weight": (10, 150),
    }


def test_shapes_of_a_network_with_fewer_tied_channels():
    recipe = Recipe.one_step(
        "resnet20",
        "digits",
        method="filter",
        grouping="across",
        criterion="random",
        scope="layer",
        value=0.5,
    )
    model = prune(recipe).compact_model
    assert model.conv1.weight.shape[0] == 8
    assert model.block2_0.shortcut.conv.weight.shape[:2] == (16, 8)
    assert model.block3_2.bn2.num_features == 32
    assert model.fc.weight.shape == (10, 32)


def test_units_without_weights_are_removed_and_biases_absorb_their_constant_output():
    recipe = Recipe.one_step(
        "lenet300", "digits", scope="custom", value=0.0, values=(("fc1", 1.0),)
    )
    model = prune(recipe).compact_model
    # The logits are constant: the biases absorb constant units up to the classifier.
    assert model.fc1.weight.shape == model.fc2.weight.shape == (1, 1)
    assert model.fc3.weight.shape == (10, 1)
    assert largest_difference(recipe, torch.float32) < 1e-4
    assert not torch.equal(model.fc3.bias, trained_model(recipe).fc3.bias)


def test_residual_branches_are_removed_as_a_whole():
    model = prune(Recipe.one_step("resnet20", "digits", method="layer", value=1.0)).compact_model
    convolutions = [name for name, m in model.named_modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 1 + 2 * 3
    assert not any(name.startswith("block1") for name in convolutions)


def test_the_trained_network_is_not_modified():
    recipe = Recipe.one_step("lenet5", "digits", method="filter", value=0.5, scope="layer")
    trained = trained_model(recipe)
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    compact = prune(recipe).compact_model
    assert measure_cost(compact, "digits").macs < 416_520
    for name, value in trained.state_dict().items():
        assert torch.equal(before[name], value)
    assert not any(module._forward_hooks for module in compact.modules())
