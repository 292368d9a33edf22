"""Published sizes of the LeNets and of MLPNet."""

import pytest

from pruning.models import build, prunable


@pytest.mark.parametrize(
    "name, parameters, weights",
    [
        ("lenet300", 266_610, 266_200),
        ("lenet5", 61_706, 61_470),
        ("lenet5-caffe", 431_080, 430_500),
        ("mlpnet", 32_360, 32_360),
    ],
)
def test_sizes_for_28_x_28_grey_images(name, parameters, weights):
    model = build(name, channels=1, size=28)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    assert sum(layer.weight.numel() for layer in prunable(model).values()) == weights
