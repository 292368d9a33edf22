"""Building blocks of networks."""

import torch
from torch import nn

from pruning.models.blocks import Add, ResidualBlock


def test_add_is_a_module_of_two_operands():
    a, b = torch.rand(2, 3), torch.rand(2, 3)
    assert torch.equal(Add()(a, b), a + b)


def test_the_shortcut_is_the_identity_where_the_shape_stays():
    block = ResidualBlock(16, 16, stride=1)
    assert isinstance(block.shortcut, nn.Identity)
    assert block(torch.rand(2, 16, 8, 8)).shape == (2, 16, 8, 8)


def test_the_shortcut_is_a_projection_where_the_shape_changes():
    block = ResidualBlock(16, 32, stride=2)
    assert block.shortcut.conv.weight.shape == (32, 16, 1, 1)
    assert block(torch.rand(2, 16, 8, 8)).shape == (2, 32, 4, 4)


def test_a_block_is_the_relu_of_the_sum_of_both_paths():
    block, x = ResidualBlock(4, 4, stride=1).eval(), torch.randn(2, 4, 6, 6)
    inner = torch.relu(block.bn1(block.conv1(x)))
    expected = torch.relu(block.bn2(block.conv2(inner)) + x)
    torch.testing.assert_close(block(x), expected)
