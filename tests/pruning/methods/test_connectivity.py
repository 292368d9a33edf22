"""Dead channels in small networks, against counts by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from pruning.methods.connectivity import (
    ChannelState,
    bias_can_absorb,
    connected_network,
    constant_outputs,
    zero_channels,
)
from pruning.models.channel_groups import channel_groups


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


def test_constant_outputs_after_a_batch_norm_and_a_relu():
    model = nn.Sequential(
        nn.Conv2d(1, 2, 1, bias=False), nn.BatchNorm2d(2), nn.ReLU(), nn.Conv2d(2, 1, 1)
    )
    model.eval().requires_grad_(False)
    model[1].running_mean.copy_(torch.tensor([1.0, -1]))
    model[1].running_var.fill_(4 - model[1].eps)
    model[1].weight.copy_(torch.tensor([2.0, 2]))
    model[1].bias.copy_(torch.tensor([0.5, 0.5]))
    group = channel_groups(model, 1, 4)[1]
    network = connected_network(model, {}, 1, 4)
    # (0 - mean) / 2 * 2 + 0.5, after the ReLU
    np.testing.assert_allclose(constant_outputs(network, model, group), [0, 1.5], atol=1e-6)


def test_a_bias_cannot_absorb_where_zeros_are_padded_or_there_is_none():
    for last, expected in (
        (nn.Conv2d(2, 1, 3), True),
        (nn.Conv2d(2, 1, 3, padding=1), False),
        (nn.Conv2d(2, 1, 3, bias=False), False),
    ):
        model = nn.Sequential(nn.Conv2d(1, 2, 1), last)
        assert bias_can_absorb(model, channel_groups(model, 1, 4)[1]) == expected


def test_zero_channels_returns_whether_anything_changed():
    model = two_layers()
    network = connected_network(model, {}, 3, 1)
    group = channel_groups(model, 3, 1)[1]
    removed = np.array([True, False])
    assert not zero_channels(network, group, np.zeros(2, bool))
    assert zero_channels(network, group, removed)
    assert not zero_channels(network, group, removed)
    assert network.weights("1") == 3 and network.vectors["1.bias"].tolist() == [0, 1]


def test_states_of_channels():
    state = ChannelState(
        written=np.array([True, False, False, False]),
        read=np.array([True, True, True, False]),
        constant=np.array([0.0, 0.0, 2.0, 2.0]),
    )
    assert state.has_output.tolist() == [True, False, True, True]
    assert state.absorbable.tolist() == [False, False, True, False]
