"""Modules that networks are built from."""

from collections import OrderedDict

import torch
from torch import nn


class Add(nn.Module):
    """Sum of two tensors, as a module, so that hooks receive both operands."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Return the sum of two tensors of the same shape.

        Parameters
        ----------
        a, b
            The operands.

        Returns
        -------
        torch.Tensor
            ``a + b``.
        """
        return a + b


class ResidualBlock(nn.Module):
    """Residual block of two 3x3 convolutions with batch norm (He et al. 2016).

    The shortcut is the identity or, where the shape changes, a 1x1 convolution with batch norm.

    Parameters
    ----------
    inputs, outputs
        Number of input and output channels.
    stride
        Stride of the first convolution and of the shortcut.
    """

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        self.sum = Add()
        self.relu2 = nn.ReLU()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                OrderedDict(
                    conv=nn.Conv2d(inputs, outputs, 1, stride, bias=False),
                    bn=nn.BatchNorm2d(outputs),
                )
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the block.

        Parameters
        ----------
        x
            Activations (N, inputs, H, W).

        Returns
        -------
        torch.Tensor
            Activations (N, outputs, H / stride, W / stride).
        """
        hidden = self.relu1(self.bn1(self.conv1(x)))
        residual = self.bn2(self.conv2(hidden))
        return self.relu2(self.sum(residual, self.shortcut(x)))
