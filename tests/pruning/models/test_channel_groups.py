"""Channel groups, traced through small networks."""

import copy
import pickle

import torch
from torch import nn

from pruning.models import build
from pruning.models.channel_groups import ChannelGroup, channel_groups


def read_by(group: ChannelGroup) -> dict[str, int]:
    """Inputs per channel of each layer that reads the group."""
    return {consumer.name: consumer.inputs_per_channel for consumer in group.consumers}


def test_a_flatten_gives_each_channel_several_inputs():
    model = build("lenet5", channels=1, size=28)
    image, conv1, conv2, *_ = channel_groups(model, 1, 28)
    assert image.channels == 1 and read_by(image) == {"conv1": 1}
    assert conv1.producers == ["conv1"] and read_by(conv1) == {"conv2": 1}
    assert conv2.activations == ["relu2"] and read_by(conv2) == {"fc1": 25}


def test_an_addition_merges_the_groups_of_its_operands():
    model = build("resnet20", channels=1, size=28)
    groups = {group.producers[0]: group for group in channel_groups(model, 1, 28)[1:]}
    stem = groups["conv1"]
    assert stem.has_addition and not groups["block1_0.conv1"].has_addition
    assert stem.producers == ["conv1", *(f"block1_{i}.conv2" for i in range(3))]
    assert stem.activations == ["relu1", *(f"block1_{i}.relu2" for i in range(3))]
    assert "block2_0.shortcut.conv" in read_by(stem)


def test_groups_are_cached_and_the_model_is_left_without_hooks():
    model = build("lenet300", channels=1, size=28)
    groups = channel_groups(model, 1, 28)
    assert channel_groups(model, 1, 28) is groups
    assert model.training and not any(module._forward_hooks for module in model.modules())


def test_a_second_relu_has_no_effect():
    model = nn.Sequential(
        *(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Conv2d(2, 1, 1), nn.ReLU(), nn.Flatten()),
    )
    first, last = channel_groups(model, 1, 4)[1:]
    assert first.activations == ["1"] and last.activations == ["5"]


def groups_of(*modules: nn.Module, channels: int = 4, size: int = 4) -> list[ChannelGroup]:
    """Groups of a chain of modules that ends with logits."""
    return channel_groups(nn.Sequential(*modules, nn.Flatten()), channels, size)


def test_a_depthwise_convolution_has_the_channels_that_it_reads():
    depthwise = nn.Conv2d(6, 6, 3, groups=6)
    _, hidden, last = groups_of(
        nn.Conv2d(4, 6, 1), nn.BatchNorm2d(6), depthwise, nn.BatchNorm2d(6), nn.Conv2d(6, 2, 1)
    )
    assert hidden.producers == ["0"] and hidden.depthwise == ["2"]
    assert hidden.norms == ["1", "3"] and read_by(hidden) == {"4": 1}
    assert hidden.can_be_removed and not last.can_be_removed


def test_a_depthwise_convolution_with_several_outputs_for_a_channel():
    _, hidden, _ = groups_of(nn.Conv2d(4, 3, 1), nn.Conv2d(3, 6, 1, groups=3), nn.Conv2d(6, 2, 1))
    assert hidden.channels == 3 and hidden.rows["1"].tolist() == [[0, 1], [2, 3], [4, 5]]
    [consumer] = hidden.consumers
    assert consumer.channels.tolist() == [[0, 1], [2, 3], [4, 5]]


def test_every_part_of_a_grouped_convolution_loses_the_same_channels():
    _, inputs, outputs, _ = groups_of(
        nn.Conv2d(4, 6, 1), nn.Conv2d(6, 4, 1, groups=2), nn.Conv2d(4, 2, 1)
    )
    assert inputs.rows["0"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert outputs.rows["1"].tolist() == [[0, 2], [1, 3]]


class Branches(nn.Module):
    """Two branches that are concatenated, normalised, and split."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(1, 2, 1), nn.Conv2d(1, 4, 1)
        self.norm = nn.BatchNorm2d(6)
        self.last = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        both = self.norm(torch.cat([self.a(x), self.b(x)], 1))
        _, part = both.chunk(2, 1)
        return self.last(torch.flatten(part, 1))


def test_a_concatenation_and_a_part_of_it():
    _, a, unread, read, _ = channel_groups(Branches(), 1, 1)
    assert a.rows["a"].tolist() == [[0], [1]] and a.rows["norm"].tolist() == [[0], [1]]
    assert not a.can_be_removed  # nothing reads the first half
    assert unread.rows["norm"].tolist() == [[2]] and not unread.can_be_removed
    assert read.rows["b"].tolist() == [[1], [2], [3]]
    assert read.rows["norm"].tolist() == [[3], [4], [5]]


def test_channels_that_a_group_norm_reads_stay():
    _, hidden, _ = groups_of(nn.Conv2d(4, 6, 1), nn.GroupNorm(2, 6), nn.Conv2d(6, 2, 1))
    assert hidden.is_fixed and not hidden.can_be_removed


def test_channels_of_a_batch_norm_without_scale_and_shift_stay():
    norm = nn.BatchNorm2d(6, affine=False)
    _, hidden, _ = groups_of(nn.Conv2d(4, 6, 1), norm, nn.Conv2d(6, 2, 1))
    assert hidden.is_fixed


def test_copies_of_a_network_share_its_graph():
    model = build("resnet20", channels=1, size=28)
    groups = channel_groups(model, 1, 28)
    assert channel_groups(copy.deepcopy(model), 1, 28) is groups
    assert channel_groups(model, 1, 32) is not groups


def test_a_pickled_network_has_no_graph():
    model = build("lenet5", channels=1, size=28)
    size = len(pickle.dumps(model))
    channel_groups(model, 1, 28)
    assert len(pickle.dumps(model)) < size + 200
    assert len(channel_groups(pickle.loads(pickle.dumps(model)), 1, 28)) == 6
