"""The exact change of the loss: against networks with one unit left out."""

import copy
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pruning.methods.criteria import CRITERIA
from pruning.models import checkpoints
from tests.pruning.methods.criteria.common import (
    GROUPING,
    SMALL,
    digits,
    grouped,
    images,
    loss,
    pooled,
    ridge_by_hand,
    scores,
    staged,
)


def without_unit(model, names, unit) -> nn.Sequential:
    """A copy in which the unit's part of every parameter of the named modules is zero."""
    left = copy.deepcopy(model)
    for name in names:
        for p in left.get_submodule(name).parameters():
            p[unit] = 0
    return left


@pytest.mark.parametrize(
    "network, method, grouping, places",
    [
        (
            "lenet5",
            "filter",
            "inside",
            {"conv1": ["conv1"], "conv2": ["conv2"], "fc1": ["fc1"], "fc2": ["fc2"]},
        ),
        ("lenet5", "neuron", "inside", {"conv1": ["conv1"], "fc2": ["fc2"]}),
        ("resnet20", "filter", "inside", {"block1_0.conv1": ["block1_0.conv1", "block1_0.bn1"]}),
        (
            "resnet20",
            "neuron",
            "across",
            {
                "block2_1.conv1": ["block2_1.conv1", "block2_1.bn1"],
                "conv1": [
                    "conv1",
                    "bn1",
                    *(f"block1_{i}.{part}2" for i in range(3) for part in ("conv", "bn")),
                ],
            },
        ),
    ],
)
def test_loss_change_leaves_one_unit_out(network, method, grouping, places):
    model, (x, y) = checkpoints.load(network, "digits"), digits(16 if network == "lenet5" else 5)
    some = {
        name: group for name, group in grouped(model, method, x, grouping).items() if name in places
    }
    model, x, y = (
        model.double(),
        x.double(),
        (y + 1) % 10,
    )  # with the right labels it loses next to nothing
    found, dense = scores("loss_change", model, method, x, y, only=some), loss(model, x, y)
    for name, modules in places.items():
        for unit in range(0, len(found[name]), 1 + len(found[name]) // 8):
            change = loss(without_unit(model, modules, unit), x, y) - dense
            assert float(found[name][unit]) == pytest.approx(change, rel=1e-6, abs=1e-10)
        assert float(found[name].abs().max()) > 1e-3  # something happens at all


def test_loss_change_of_filters_in_float64():
    for network, model in ((name, make()) for name, make in SMALL.items()):
        x, y = images()
        found = scores("loss_change", model, "filter", x, y, GROUPING[network])
        for name, group in grouped(model, "filter", x, GROUPING[network]).items():
            expected = [
                loss(without_unit(model, [*group.layers, *group.norms], unit), x, y)
                - loss(model, x, y)
                for unit in range(group.units)
            ]
            np.testing.assert_allclose(found[name], expected, atol=1e-12)


def test_loss_change_of_a_residual_block_is_that_of_its_shortcut_alone():
    model, (x, y) = checkpoints.load("resnet20", "digits"), digits(8)
    [names] = [group.names for group in grouped(model, "layer", x).values()]
    assert len(names) == 7
    found, dense = scores("loss_change", model, "layer", x, y)["layers"], loss(model, x, y)
    for name, score in zip(names, found.tolist(), strict=True):
        left = nn.Sequential(
            OrderedDict((key, nn.ReLU() if key == name else m) for key, m in model.named_children())
        )
        assert score == pytest.approx(loss(left, x, y) - dense, abs=1e-5)


def test_loss_change_of_a_plain_layer_is_that_of_the_refitted_network():
    """The layer behind the gap, refitted in numpy on the same images."""
    model, (x, y) = pooled().float(), images(24)
    x = x.float()
    found = scores("loss_change", model, "layer", x, y)["layers"].tolist()
    for lost, behind, score in zip(("conv2", "fc1"), ("fc1", "fc2"), found, strict=True):
        names = [key for key, _ in model.named_children()]
        asked = model[: names.index(behind) + 1](x).numpy()
        left = nn.Sequential(
            OrderedDict((key, m) for key, m in model.named_children() if key != lost)
        )
        place = names.index(behind) - 1
        weight, bias = ridge_by_hand(left[:place](x).numpy(), asked, 1e-2)
        refitted = torch.from_numpy(left[:place](x).numpy() @ weight.T + bias).float()
        assert score == pytest.approx(
            loss(left[place + 1 :], refitted, y) - loss(model, x, y), abs=1e-4
        )


def test_loss_change_of_blocks_in_a_row_is_that_of_their_shortcuts_alone():
    model, (x, y) = staged(), images(12)
    found = scores("loss_change", model, "layer", x, y, "subnetwork")["layers"]
    for unit, names in enumerate([("first", "second"), ("third",)]):
        stages = OrderedDict(model.named_children())
        for name in names:
            stages[name] = nn.ReLU()
        change = loss(nn.Sequential(stages), x, y) - loss(model, x, y)
        assert float(found[unit]) == pytest.approx(change, abs=1e-10)
        assert abs(change) > 1e-3


def test_loss_change_of_plain_layers_in_a_row_is_that_of_the_refitted_network():
    """The classifier, refitted in numpy to the inputs of the first removed layer."""
    model, (x, y) = pooled().float(), images(24)
    x = x.float()
    [found] = scores("loss_change", model, "layer", x, y, "subnetwork")["layers"].tolist()
    inputs = model.relu2(model.relu1(model.pool1(model.conv1(x)))).flatten(1)
    weight, bias = ridge_by_hand(inputs.numpy(), model(x).numpy(), 1e-2)
    logits = torch.from_numpy(inputs.numpy() @ weight.T + bias)
    expected = float(F.cross_entropy(logits, y)) - loss(model, x, y)
    assert found == pytest.approx(expected, abs=1e-4)
    assert abs(expected) > 1e-3


def test_only_criteria_that_evaluate_the_network_for_each_unit_are_slow():
    assert [criterion.name for criterion in CRITERIA.values() if criterion.is_slow] == [
        "loss_change"
    ]
