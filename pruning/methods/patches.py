"""What a layer reads for one output: a row for each image and output position."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

POSITIONS = 64
"""Output positions of each batch that a sample of a convolution has."""

Layer = nn.Conv2d | nn.Linear


@dataclass(frozen=True, eq=False)
class Positions:
    """Output positions of a convolution.

    Parameters
    ----------
    rows, columns : torch.Tensor
        (P,) int each.
    """

    rows: torch.Tensor
    columns: torch.Tensor

    @classmethod
    def sample(cls, outputs: torch.Tensor, generator: torch.Generator) -> "Positions":
        """Draw positions at random, without repetition.

        Parameters
        ----------
        outputs : torch.Tensor
            Outputs of a convolution, (N, C, H, W).
        generator : torch.Generator
            Source of the random numbers.

        Returns
        -------
        Positions
            `POSITIONS` of them, or all if there are fewer.
        """
        height, width = outputs.shape[2:]
        chosen = torch.randperm(height * width, generator=generator)[:POSITIONS]
        return cls(chosen // width, chosen % width)


def patches_at(layer: nn.Conv2d, inputs: torch.Tensor, positions: Positions) -> torch.Tensor:
    """Return the inputs of a convolution at some output positions.

    Parameters
    ----------
    layer : nn.Conv2d
        Any convolution with a number as padding.
    inputs : torch.Tensor
        (N, C, H, W).
    positions : Positions
        P output positions.

    Returns
    -------
    torch.Tensor
        (N x P, C x kernel height x kernel width), in the order of the flattened weight; of a
        grouped convolution those of all parts, one after the other.

    Raises
    ------
    TypeError
        The convolution has a padding that is not zeros of a given width.
    """
    height, width = layer.kernel_size
    vertical, horizontal = _padding(layer)
    padded = F.pad(inputs, (horizontal, horizontal, vertical, vertical))
    kernel_rows = torch.arange(height) * layer.dilation[0]
    kernel_columns = torch.arange(width) * layer.dilation[1]
    rows = positions.rows[:, None] * layer.stride[0] + kernel_rows  # (P, kernel height)
    columns = positions.columns[:, None] * layer.stride[1] + kernel_columns
    channels_last = padded.permute(0, 2, 3, 1)
    patches = channels_last[:, rows[:, :, None], columns[:, None, :]]
    return patches.permute(0, 1, 4, 2, 3).flatten(0, 1).flatten(1)  # from (N, P, kh, kw, C)


def outputs_at(outputs: torch.Tensor, positions: Positions) -> torch.Tensor:
    """Return the outputs of a convolution at some positions.

    Parameters
    ----------
    outputs : torch.Tensor
        (N, C, H, W).
    positions : Positions
        P positions.

    Returns
    -------
    torch.Tensor
        (N x P, C), in the order of the rows of `patches_at`.
    """
    return outputs.permute(0, 2, 3, 1)[:, positions.rows, positions.columns].flatten(0, 1)


def _padding(layer: nn.Conv2d) -> Sequence[int]:
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        raise TypeError("only convolutions with a number as padding have patches")
    return layer.padding
