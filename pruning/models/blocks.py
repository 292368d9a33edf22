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


class Multiply(nn.Module):
    """Product of two tensors, such as of features and the gate of squeeze-and-excitation."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Return the elementwise product.

        Parameters
        ----------
        a, b
            The operands, with as many channels each; other dimensions are broadcast.

        Returns
        -------
        torch.Tensor
            ``a * b``.
        """
        return a * b


class Concatenate(nn.Module):
    """Concatenation of tensors along their channels."""

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        """Return the channels of all tensors, in order.

        Parameters
        ----------
        *tensors
            (N, C_i, ...), equal in all other dimensions.

        Returns
        -------
        torch.Tensor
            (N, sum of C_i, ...).
        """
        return torch.cat(tensors, 1)


class SliceChannels(nn.Module):
    """Some consecutive channels, such as a part of ``chunk`` or ``split``.

    Parameters
    ----------
    start, stop
        The first channel, and the one after the last.
    """

    def __init__(self, start: int, stop: int):
        super().__init__()
        self.start, self.stop = start, stop

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the channels.

        Parameters
        ----------
        x
            (N, C, ...).

        Returns
        -------
        torch.Tensor
            (N, stop - start, ...), a view.
        """
        return x[:, self.start : self.stop]

    def extra_repr(self) -> str:
        """Return the channels, for the representation of the module."""
        return f"{self.start}, {self.stop}"


class SelectChannels(nn.Module):
    """Some channels in any order.

    Parameters
    ----------
    indices
        The channels, (k,) int64.
    """

    def __init__(self, indices: torch.Tensor):
        super().__init__()
        self.indices: torch.Tensor
        self.register_buffer("indices", indices)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the channels.

        Parameters
        ----------
        x
            (N, C, ...).

        Returns
        -------
        torch.Tensor
            (N, k, ...).
        """
        return x[:, self.indices]


class MaskPixels(nn.Module):
    """Set removed pixels of the image to zero: a convolution has no weights of its own for them.

    Parameters
    ----------
    mask : torch.Tensor
        (channels, height, width), 1 where a pixel is kept and 0 elsewhere.
    """

    def __init__(self, mask: torch.Tensor):
        super().__init__()
        self.mask: torch.Tensor
        self.register_buffer("mask", mask)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the masked images, (N, channels, height, width)."""
        return x * self.mask


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
