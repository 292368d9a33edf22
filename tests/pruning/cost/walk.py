"""Parameters and MACs of a network, counted by code of its own."""

import copy

import torch
from torch import nn


def walk(model: nn.Module, size: int = 28, channels: int = 1) -> tuple[int, int]:
    """Parameters and MACs by an independent walk over the built network."""
    macs = []

    def count(layer, inputs, output):
        if isinstance(layer, nn.Conv2d):
            kernel = layer.kernel_size[0] * layer.kernel_size[1]
            positions = output.shape[2] * output.shape[3]
            macs.append(inputs[0].shape[1] * kernel * output.shape[1] * positions)
        else:
            macs.append(inputs[0].shape[1] * output.shape[1])

    model = copy.deepcopy(model)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    model(torch.zeros(1, channels, size, size))
    return sum(parameter.numel() for parameter in model.parameters()), sum(macs)
