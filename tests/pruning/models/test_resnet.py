"""Residual networks for small images: published sizes and depth."""

import pytest
from torch import nn

from pruning.models import build, prunable


def test_sizes_of_resnet20_with_projection_shortcuts():
    model = build("resnet20", channels=3, size=32)
    assert sum(parameter.numel() for parameter in model.parameters()) == 272_474
    assert sum(layer.weight.numel() for layer in prunable(model).values()) == 270_896


@pytest.mark.parametrize("name, depth", [("resnet20", 20), ("resnet56", 56)])
def test_depth_is_counted_in_layers_with_3_x_3_kernels_and_the_classifier(name, depth):
    layers = prunable(build(name, channels=3, size=32)).values()
    deep = [
        layer for layer in layers if isinstance(layer, nn.Linear) or layer.kernel_size == (3, 3)
    ]
    assert len(deep) == depth
