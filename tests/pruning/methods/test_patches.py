"""Patches of a convolution: their products with the weight are its outputs."""

import pytest
import torch
from torch.nn import functional as F

from pruning.methods.patches import POSITIONS, Positions, outputs_at, patches_at


@pytest.mark.parametrize("stride, padding, dilation", [(1, 0, 1), (2, 1, 1), (1, 2, 2)])
def test_patches_times_weight_are_the_convolution(stride, padding, dilation):
    generator = torch.Generator().manual_seed(0)
    layer = torch.nn.Conv2d(3, 5, (3, 2), stride, padding, dilation, bias=False)
    images = torch.randn(2, 3, 9, 10, generator=generator)
    with torch.no_grad():
        outputs = layer(images)
        positions = Positions.sample(outputs, generator)
        products = F.linear(patches_at(layer, images, positions), layer.weight.flatten(1))
    torch.testing.assert_close(products, outputs_at(outputs, positions))


def test_positions_are_different_and_at_most_all():
    generator = torch.Generator().manual_seed(0)
    many = Positions.sample(torch.zeros(1, 1, 30, 40), generator)
    assert len(set(zip(many.rows.tolist(), many.columns.tolist(), strict=True))) == POSITIONS
    few = Positions.sample(torch.zeros(1, 1, 2, 3), generator)
    pairs = set(zip(few.rows.tolist(), few.columns.tolist(), strict=True))
    assert pairs == {(row, column) for row in range(2) for column in range(3)}


def test_patches_of_a_grouped_convolution_are_those_of_its_parts():
    generator = torch.Generator().manual_seed(0)
    layer = torch.nn.Conv2d(4, 6, 3, groups=2, bias=False)
    images = torch.randn(2, 4, 6, 6, generator=generator)
    with torch.no_grad():
        outputs = layer(images)
        positions = Positions.sample(outputs, generator)
        parts = patches_at(layer, images, positions).chunk(2, 1)
        rows = layer.weight.flatten(1).chunk(2)
        products = [F.linear(part, row) for part, row in zip(parts, rows, strict=True)]
    torch.testing.assert_close(torch.cat(products, 1), outputs_at(outputs, positions))


def test_a_padding_by_name_is_refused():
    layer = torch.nn.Conv2d(2, 2, 3, padding="same")
    positions = Positions(torch.zeros(1, dtype=int), torch.zeros(1, dtype=int))
    with pytest.raises(TypeError, match="only convolutions with a number"):
        patches_at(layer, torch.zeros(1, 2, 5, 5), positions)
