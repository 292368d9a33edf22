"""Groups of units, and the masks that remove units."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pruning.methods.masks import Masks
from pruning.methods.units import METHODS, UnitGroup, groups, is_block, layers_of, members_of
from pruning.models import NETWORKS, build, prunable
from tests.pruning.methods.criteria.common import residual, staged


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


@pytest.mark.parametrize(
    "network, names",
    [
        ("lenet300", ("fc1 to fc2",)),
        ("lenet5", ("conv2 to fc2",)),
        ("lenet5-caffe", ("conv2 to fc1",)),
        ("mlpnet", ("fc1 to fc2",)),
        ("resnet20", ("block1_0 to block1_2", "block2_1 to block2_2", "block3_1 to block3_2")),
    ],
)
def test_subnetworks(network, names):
    assert groups_of(network, "layer", "subnetwork")["layers"].names == names


def test_a_layer_or_block_without_neighbours_is_a_subnetwork_of_its_own():
    [units] = groups(staged(), "layer", "subnetwork", 1, 6).values()
    assert units.members == (("first", "second"), ("third",))
    assert units.names == ("first to second", "third")
    only_single_blocks = residual()
    by_grouping = [
        groups(only_single_blocks, "layer", name, 1, 6) for name in ("single", "subnetwork")
    ]
    assert by_grouping[0] == by_grouping[1]


@pytest.mark.parametrize("network", NETWORKS)
def test_subnetworks_are_longest_runs_of_the_removable_layers(network):
    """In the order of the layers, each of them is followed by one that cannot be removed."""
    model = build(network, channels=1, size=28)
    [single] = groups(model, "layer", "single", 1, 28).values()
    [runs] = groups(model, "layer", "subnetwork", 1, 28).values()
    assert runs.layers == single.layers
    joined = [member for members in runs.members for member in members]
    assert joined == list(single.names)
    layers = list(prunable(model))
    for unit in range(runs.units):
        in_unit = layers_of(model, runs, unit)
        start = layers.index(in_unit[0])
        end = start + len(in_unit)
        assert layers[start:end] == in_unit
        around = {layers[start - 1] if start else "", layers[end]}
        assert not around & set(single.layers)


@pytest.mark.parametrize("network", NETWORKS)
@settings(max_examples=10)
@given(data=st.data())
def test_the_masks_of_a_subnetwork_are_those_of_its_members_one_by_one(network, data):
    model = build(network, channels=1, size=28)
    [single] = groups(model, "layer", "single", 1, 28).values()
    [runs] = groups(model, "layer", "subnetwork", 1, 28).values()
    chosen = data.draw(st.lists(st.booleans(), min_size=runs.units, max_size=runs.units))
    removed = torch.tensor(chosen)
    together = METHODS["layer"].masks_for(model, runs, removed)
    one_by_one = Masks({})
    members = members_of(runs, removed)
    for member in members:
        alone = torch.tensor([name == member for name in single.names])
        one_by_one &= METHODS["layer"].masks_for(model, single, alone)
    assert together.keys() == dict(one_by_one).keys()
    assert all(torch.equal(mask, one_by_one[name]) for name, mask in together.items())
    if all(is_block(model, name) for name in single.names):
        surviving = METHODS["layer"].surviving_units(model, single, together)
        assert members_of(single, ~surviving) == members


def test_a_subnetwork_survives_as_long_as_one_of_its_members():
    model = build("resnet20", channels=1, size=28)
    [single] = groups(model, "layer", "single", 1, 28).values()
    [runs] = groups(model, "layer", "subnetwork", 1, 28).values()
    removed = torch.tensor([name != "block1_1" for name in single.names])
    masks = METHODS["layer"].masks_for(model, single, removed)
    surviving = METHODS["layer"].surviving_units(model, runs, masks)
    assert surviving.tolist() == [True, False, False]


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
            if group.members and not is_block(model, group.members[0][0]):
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
