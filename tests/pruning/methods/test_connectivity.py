"""Dead channels in small networks, against counts by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from pruning.methods.connectivity import (
    Connections,
    connected_network,
    is_padded,
    propagate_constants,
    zero_channels,
)
from pruning.models.blocks import Add, Concatenate, Multiply, SelectChannels, SliceChannels
from pruning.models.channel_groups import channel_groups, network_graph
from pruning.models.graph_network import IMAGE, GraphNetwork, Step


def two_layers(relu: bool = True) -> nn.Sequential:
    """3 inputs, 2 hidden units, 2 outputs, all weights and biases 1."""
    stages = [nn.Flatten(), nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2)]
    if not relu:
        del stages[2]
    model = nn.Sequential(*stages).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.fill_(1)
    return model


def connected(model: nn.Module, parameters: dict[str, torch.Tensor]):
    return connected_network(model, parameters, 3, 1)


def test_nothing_is_removed_from_a_complete_network():
    network = connected(two_layers(), {})
    assert network.parameters == 3 * 2 + 2 + 2 * 2 + 2
    assert network.weights("1") == 6 and network.mask("3").all()


def test_a_hidden_unit_without_outgoing_weights_is_removed_with_its_bias():
    weight = torch.tensor([[0.0, 1], [0, 1]])
    network = connected(two_layers(), {"3.weight": weight})
    assert network.mask("1").tolist() == [[False] * 3, [True] * 3]
    assert network.vectors["1.bias"].tolist() == [0, 1]
    assert network.parameters == 3 + 1 + 2 + 2


def test_a_hidden_unit_whose_output_is_always_zero_is_removed():
    weight, bias = torch.ones(2, 3), torch.tensor([-1.0, 1])
    weight[0] = 0
    network = connected(two_layers(), {"1.weight": weight, "1.bias": bias})
    assert network.mask("3").tolist() == [[False, True]] * 2
    assert network.vectors["3.bias"].tolist() == [1, 1]


@pytest.mark.parametrize("relu, expected", [(True, 1 + 2), (False, 1 + 2)])
def test_a_constant_hidden_unit_is_absorbed_by_the_bias(relu, expected):
    weight, bias = torch.ones(2, 3), torch.tensor([2.0, 1])
    weight[0] = 0
    model = two_layers(relu)
    network = connected(model, {"1.weight": weight, "1.bias": bias})
    last = "3" if relu else "2"
    assert network.vectors[f"{last}.bias"].tolist() == [expected, expected]
    assert network.mask(last).tolist() == [[False, True]] * 2
    assert network.vectors["1.bias"].tolist() == [0, 1]


def test_weights_of_masked_pixels_are_removed():
    pixels = torch.tensor([1.0, 0, 1]).view(3, 1, 1)
    network = connected(two_layers(), {"input": pixels})
    assert network.mask("1").tolist() == [[True, False, True]] * 2
    assert "input" not in network.vectors


def test_a_channel_without_weights_is_constant_after_a_batch_norm_and_a_relu():
    model = nn.Sequential(
        *(nn.Conv2d(1, 2, 1, bias=False), nn.BatchNorm2d(2), nn.ReLU()),
        *(nn.Conv2d(2, 1, 1), nn.Flatten()),
    )
    model.eval().requires_grad_(False)
    model[1].running_mean.copy_(torch.tensor([1.0, -1]))
    model[1].running_var.fill_(4 - model[1].eps)
    model[1].weight.copy_(torch.tensor([2.0, 2]))
    model[1].bias.copy_(torch.tensor([0.5, 0.5]))
    model[3].weight.fill_(2)
    model[3].bias.fill_(1)
    network = connected_network(model, {"0.weight": torch.zeros(2, 1, 1, 1)}, 1, 4)
    # (0 - mean) / 2 * 2 + 0.5, after the ReLU: 0 and 1.5
    np.testing.assert_allclose(network.vectors["3.bias"], [1 + 2 * 1.5], atol=1e-6)
    assert network.parameters == 1  # the last bias


def test_a_batch_norm_with_scale_zero_has_a_constant_output():
    model = nn.Sequential(
        *(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.ReLU()),
        *(nn.Conv2d(2, 1, 1), nn.Flatten()),
    )
    model.eval().requires_grad_(False)
    model[1].weight[0] = 0
    network = connected_network(model, {}, 1, 4)
    assert network.mask("3").flatten().tolist() == [False, True]
    assert network.mask("0").flatten().tolist() == [False, True]


@pytest.mark.parametrize(
    "layer, expected",
    [
        (nn.Conv2d(2, 1, 3), False),
        (nn.Conv2d(2, 1, 3, padding=1), True),
        (nn.Conv2d(2, 1, 3, padding=(0, 1)), True),
        (nn.Conv2d(2, 1, 3, padding="valid"), False),
    ],
)
def test_whether_a_convolution_pads(layer, expected):
    assert is_padded(layer) == expected


@pytest.mark.parametrize("bias, padding", [(True, 0), (True, 1), (False, 0)])
def test_a_bias_cannot_absorb_where_zeros_are_padded_or_there_is_none(bias, padding):
    weight = np.ones((1, 2, 1, 1), np.float32)
    layer = Connections(weight, np.ones((1, 2), int), 1, is_padded=padding > 0)
    values = np.zeros(1, np.float32) if bias else None
    outputs = layer.constant_outputs(np.array([np.nan, 3.0]), values)
    assert np.isnan(outputs).all()
    can_absorb = bias and not padding
    assert layer.nonzero.tolist() == [[1, 0 if can_absorb else 1]]
    assert not can_absorb or values == [3]


def test_the_parts_of_a_grouped_convolution_read_their_own_inputs():
    weight = np.ones((4, 1, 1, 1), np.float32)
    nonzero = np.array([[1], [0], [0], [0]])
    layer = Connections(weight, nonzero, 1, parts=2)
    assert layer.inputs_read.tolist() == [True, False]
    outputs = layer.constant_outputs(np.array([0, np.nan]), np.array([1.0, 2, 3, 4]))
    assert outputs.tolist() == [1, 2, 3, 4]  # the only weight reads an input that is zero
    assert not layer.nonzero.any()


def constants_of(module: nn.Module, *biases: list[float]) -> list[float]:
    """Result of a module for inputs without weights, whose values are biases."""
    modules, steps = {}, []
    for index, bias in enumerate(biases):
        layer = nn.Conv2d(1, len(bias), 1)
        nn.init.zeros_(layer.weight)
        layer.bias.data = torch.tensor(bias)
        modules[f"conv{index}"] = layer
        steps.append(Step(f"conv{index}", (IMAGE,), (len(bias), 2, 2)))
    names = tuple(modules)
    modules["module"] = module
    modules["flatten"] = nn.Flatten()
    result = module(*(torch.zeros(1, len(bias), 2, 2) for bias in biases))
    steps.append(Step("module", names, tuple(result.shape[1:])))
    steps.append(Step("flatten", ("module",), (result[0].numel(),)))
    model = GraphNetwork(modules, steps, (1, 2, 2)).eval().requires_grad_(False)
    expected = model(torch.rand(3, 1, 2, 2))
    network = connected_network(model, {}, 1, 2)
    values = propagate_constants(network, network_graph(model, 1, 2), model)["flatten"]
    for row in expected:
        torch.testing.assert_close(torch.from_numpy(values).float(), row)
    return values.tolist()


@pytest.mark.parametrize(
    "module", [nn.ReLU(), nn.Sigmoid(), nn.GELU(), nn.SiLU(), nn.Hardswish(), nn.MaxPool2d(2)]
)
def test_constants_of_modules_of_one_input(module):
    constants_of(module, [-1.0, 0.0, 2.0])


def test_constants_of_modules_of_several_inputs():
    constants_of(Add(), [1.0, 2.0], [3.0, -2.0])
    constants_of(Multiply(), [1.0, 0.0], [3.0, -2.0])
    constants_of(Concatenate(), [1.0, 0.0], [3.0])
    constants_of(SliceChannels(1, 3), [1.0, 0.0, 2.0])
    constants_of(SelectChannels(torch.tensor([2, 0, 1])), [1.0, 0.0, 2.0])


def test_zero_times_anything_is_zero():
    modules = {"feature": nn.Conv2d(1, 1, 1), "gate": nn.Conv2d(1, 1, 1), "product": Multiply()}
    steps = [Step(name, (IMAGE,), (1, 1, 1)) for name in ("feature", "gate")]
    steps.append(Step("product", ("feature", "gate"), (1, 1, 1)))
    model = GraphNetwork(modules, steps, (1, 1, 1)).eval().requires_grad_(False)
    nn.init.zeros_(modules["feature"].weight)
    nn.init.zeros_(modules["feature"].bias)
    network = connected_network(model, {}, 1, 1)
    values = propagate_constants(network, network_graph(model, 1, 1), model)
    assert np.isnan(values["gate"]).all() and values["product"].tolist() == [0]


def test_zero_channels_returns_whether_anything_changed():
    model = two_layers()
    network = connected_network(model, {}, 3, 1)
    group = channel_groups(model, 3, 1)[1]
    removed = np.array([True, False])
    assert not zero_channels(network, group, np.zeros(2, bool))
    assert zero_channels(network, group, removed)
    assert not zero_channels(network, group, removed)
    assert network.weights("1") == 3 and network.vectors["1.bias"].tolist() == [0, 1]
