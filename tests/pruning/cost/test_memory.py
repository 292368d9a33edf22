"""Peak memory, counted by hand; 4 bytes for a float32."""

import torch
from torch import nn

from pruning.cost.memory import peak_memory_bytes
from pruning.methods.removal import remove
from pruning.models import ResidualBlock, build


def test_a_fully_connected_network():
    # The flattened image is a view of the image.
    assert peak_memory_bytes(build("lenet300", channels=1, size=28), 1, 28) == 4 * (784 + 300)


def test_a_convolutional_network():
    first_pooling = 6 * 28 * 28 + 6 * 14 * 14
    assert peak_memory_bytes(build("lenet5", channels=1, size=28), 1, 28) == 4 * first_pooling


def test_the_input_of_the_shortcut_is_live_throughout_the_residual_branch():
    activation = 16 * 28 * 28
    assert peak_memory_bytes(build("resnet20", channels=1, size=28), 1, 28) == 4 * 3 * activation


def test_a_projection_shortcut():
    block = ResidualBlock(4, 16, stride=1)
    # Both operands and the result of the addition.
    assert peak_memory_bytes(nn.Sequential(block), 4, 8) == 4 * 3 * 16 * 8 * 8


def test_removed_residual_branches_need_no_memory():
    model = build("resnet20", channels=1, size=28).eval().requires_grad_(False)
    zeros = {}
    for name, parameter in model.named_parameters():
        if name.startswith("block") and "shortcut" not in name:
            zeros[name] = torch.zeros_like(parameter)
    # Input and output of the stem.
    assert peak_memory_bytes(remove(model, zeros, 1, 28), 1, 28) == 4 * 2 * 16 * 28 * 28


def test_the_model_is_not_modified_and_its_dtype_counts():
    model = build("resnet20", channels=1, size=28).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    single = peak_memory_bytes(model, 1, 28)
    assert model.training and not any(module._forward_hooks for module in model.modules())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert peak_memory_bytes(model.double(), 1, 28) == 2 * single
