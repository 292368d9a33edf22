"""Weights removed from the first linear layer at each input pixel."""

import numpy as np

from pruning.figures.parts import SHARE_SCALE, layout, pixel_axes
from pruning.figures.plain_figure import PlainFigure


def pixel_sparsity(kept: np.ndarray, channels: int, size: int) -> PlainFigure:
    """Draw the share of removed weights at each pixel.

    Parameters
    ----------
    kept : np.ndarray
        (outputs, channels x size x size) bool, mask of a linear layer whose input is the image.
    channels, size : int
        Shape of the image.

    Returns
    -------
    PlainFigure
        Mean over outputs and channels.
    """
    share = 1 - kept.reshape(len(kept) * channels, size, size).mean(0)
    picture = {
        "type": "heatmap",
        "z": share.astype(np.float32),
        "showscale": False,
        **SHARE_SCALE,
        "hovertemplate": "row %{y}, column %{x}: %{z:.1%} of weights removed<extra></extra>",
    }
    x_axis, y_axis = pixel_axes(size, size)
    return PlainFigure([picture], layout(x=x_axis, y=y_axis, height=300))


def alt_of_pixel_sparsity(layer: str) -> str:
    """Describe `pixel_sparsity` in words.

    Parameters
    ----------
    layer : str
        Name of the layer.

    Returns
    -------
    str
        What the figure shows.
    """
    return f"Share of removed weights of {layer} at each input pixel"
