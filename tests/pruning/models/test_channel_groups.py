"""Channel groups, traced through small networks."""

import pytest
from torch import nn

from pruning.models import build
from pruning.models.channel_groups import Consumer, channel_groups


def test_a_flatten_gives_each_channel_several_inputs():
    model = build("lenet5", channels=1, size=28)
    image, conv1, conv2, *_ = channel_groups(model, 1, 28)
    assert image.channels == 1 and image.consumers == [Consumer("conv1", 1)]
    assert conv1.producers == ["conv1"] and conv1.consumers == [Consumer("conv2", 1)]
    assert conv2.activations == ["relu2"] and conv2.consumers == [Consumer("fc1", 25)]


def test_an_addition_merges_the_groups_of_its_operands():
    model = build("resnet20", channels=1, size=28)
    groups = {group.producers[0]: group for group in channel_groups(model, 1, 28)[1:]}
    stem = groups["conv1"]
    assert stem.has_addition and not groups["block1_0.conv1"].has_addition
    assert stem.producers == ["conv1", *(f"block1_{i}.conv2" for i in range(3))]
    assert stem.activations == ["relu1", *(f"block1_{i}.relu2" for i in range(3))]
    assert Consumer("block2_0.shortcut.conv", 1) in stem.consumers


def test_groups_are_cached_and_the_model_is_left_without_hooks():
    model = build("lenet300", channels=1, size=28)
    groups = channel_groups(model, 1, 28)
    assert channel_groups(model, 1, 28) is groups
    assert model.training and not any(module._forward_hooks for module in model.modules())


def test_a_second_relu_has_no_effect():
    model = nn.Sequential(
        nn.Conv2d(1, 2, 1), nn.ReLU(), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(2, 1, 1), nn.ReLU()
    )
    first, last = channel_groups(model, 1, 4)[1:]
    assert first.activations == ["1"] and last.activations == ["5"]


def test_unknown_modules_are_refused():
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Softmax(1))
    with pytest.raises(TypeError, match="there is no rule for the effect of Softmax on channels"):
        channel_groups(model, 1, 4)
