"""Groups of units, and the masks that remove units."""

import re

import pytest
import torch

from pruning.methods.units import METHODS, UnitGroup, groups, is_block
from pruning.models import NETWORKS, build


def groups_of(network: str, method: str, grouping: str = "") -> dict[str, UnitGroup]:
    return groups(build(network, channels=1, size=28), method, grouping, 1, 28)


def test_tied_channels_are_one_unit_in_all_layers():
    inside = groups_of("resnet20", "filter", "inside")
    across = groups_of("resnet20", "filter", "across")
    assert len(inside) == 9
    assert set(across) - set(inside) == {"conv1", "block2_0.conv2", "block3_0.conv2"}
    assert across["block2_0.conv2"].layers == (
        "block2_0.conv2",
        "block2_0.shortcut.conv",
        "block2_1.conv2",
        "block2_2.conv2",
    )


@pytest.mark.parametrize(
    "network, layers",
    [
        ("lenet300", ("fc1", "fc2")),
        ("lenet5", ("conv2", "fc1", "fc2")),
        ("lenet5-caffe", ("conv2", "fc1")),
        ("mlpnet", ("fc1", "fc2")),
        (
            "resnet20",
            ("block1_0", "block1_1", "block1_2", "block2_1", "block2_2", "block3_1", "block3_2"),
        ),
    ],
)
def test_removable_layers(network, layers):
    assert groups_of(network, "layer")["layers"].names == layers


@pytest.mark.parametrize("grouping", ["inside", "across"])
def test_neurons_and_filters_are_the_same_units(grouping):
    neurons = groups_of("resnet20", "neuron", grouping)
    assert neurons == groups_of("resnet20", "filter", grouping)


def test_pixels_are_grouped_by_position_or_by_channel():
    model = build("resnet20", channels=3, size=32)
    by_position = groups(model, "feature", "position", 3, 32)["input"]
    by_channel = groups(model, "feature", "channel", 3, 32)["input"]
    assert (by_position.shape, by_channel.shape) == ((1, 32, 32), (3, 32, 32))
    assert by_channel.units == 3 * 32 * 32


def test_labels_of_units():
    [layers] = groups_of("lenet5", "layer").values()
    assert [layers.label(unit) for unit in range(3)] == ["conv2", "fc1", "fc2"]
    assert groups_of("lenet5", "filter", "inside")["conv1"].label(2) == "2"


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("method", METHODS)
def test_units_survive_unless_their_masks_remove_them(network, method):
    """Masks and surviving units are inverse, except for plain layers, which `refit` removes."""
    model = build(network, channels=1, size=28)
    for grouping in METHODS[method].groupings or [""]:
        for group in groups(model, method, grouping, 1, 28).values():
            assert METHODS[method].surviving_units(model, group, {}).all()
            removed = torch.arange(group.units) % 3 == 0
            masks = METHODS[method].masks_for(model, group, removed)
            if group.names and not is_block(model, group.names[0]):
                assert not masks
                continue
            surviving = METHODS[method].surviving_units(model, group, masks)
            assert surviving.dtype == torch.bool and torch.equal(surviving, ~removed)


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)
def test_the_fields_of_a_method_agree_with_its_groups(method):
    counts = [len(groups_of(network, method.name, "inside")) for network in NETWORKS]
    assert method.competing_groups == (max(counts) > 1)
    first, group = next(iter(groups_of("lenet5", method.name).items()))
    assert method.has_weights == (first != "input")
    weight = build("lenet5", channels=1, size=28).get_parameter("conv1.weight")
    assert method.units_are_weights == (group.shape == tuple(weight.shape))


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)
def test_a_method_says_whether_its_groupings_differ_for_images_of_one_channel(method):
    model = build("resnet20", channels=1, size=28)
    by_grouping = [groups(model, method.name, name, 1, 28) for name in method.groupings]
    are_equal = len(by_grouping) > 1 and all(found == by_grouping[0] for found in by_grouping)
    assert method.groups_by_channels == are_equal


def test_every_method_has_a_colour_of_its_own():
    colours = {method.colour for method in METHODS.values()}
    assert len(colours) == len(METHODS)
    assert all(re.fullmatch("#[0-9A-F]{6}", colour) for colour in colours)
