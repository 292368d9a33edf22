"""Weights of one unit."""

import numpy as np

from pruning.figures.parts import COLOUR_BAR_MARGIN, DIFFERENCES, KEPT, colour_bar, layout
from pruning.figures.plain_figure import PlainFigure

MAX_KERNELS = 12
"""Number of kernels that are drawn side by side."""
HEIGHT = 230


def unit_weights(weights: np.ndarray) -> PlainFigure:
    """Draw the weights of a unit.

    Parameters
    ----------
    weights : np.ndarray
        (inputs,), drawn as a line, or (inputs, height, width), drawn as at most 12 kernels.

    Returns
    -------
    PlainFigure
        The colours of kernels are symmetric around 0.
    """
    if weights.ndim == 1:
        return _line(weights)
    return _kernels(weights)


def _line(weights: np.ndarray) -> PlainFigure:
    line = {
        "type": "scatter",
        "mode": "lines",
        "x": np.arange(len(weights)),
        "y": weights.astype(np.float32),
        "line": {"color": KEPT, "width": 1},
        "hovertemplate": "input %{x}: %{y:.4f}<extra></extra>",
    }
    return PlainFigure([line], layout(x={"title": "input"}, y={"title": "weight"}, height=HEIGHT))


def _kernels(weights: np.ndarray) -> PlainFigure:
    drawn = weights[:MAX_KERNELS]
    count, height, width = drawn.shape
    padded = np.pad(drawn, ((0, 0), (0, 0), (0, 1)), constant_values=np.nan)
    picture = padded.transpose(1, 0, 2).reshape(height, -1)[:, :-1]
    limit = float(np.abs(drawn).max()) or 1.0
    title = "input channel"
    if len(weights) > MAX_KERNELS:
        title += f" (first {MAX_KERNELS} of {len(weights)})"
    trace = {
        "type": "heatmap",
        "z": picture.astype(np.float32),
        "colorscale": DIFFERENCES,
        "zmin": -limit,
        "zmax": limit,
        "colorbar": colour_bar("weight"),
        "hovertemplate": "%{z:.4f}<extra></extra>",
    }
    x_axis = {
        "title": title,
        "tickvals": np.arange(count) * (width + 1) + (width - 1) / 2,
        "ticktext": [str(channel) for channel in range(count)],
        "showgrid": False,
    }
    y_axis = {
        "title": "kernel row",
        "autorange": "reversed",
        "scaleanchor": "x",
        "showgrid": False,
        "constrain": "domain",
        "showticklabels": False,
    }
    figure_layout = layout(x=x_axis, y=y_axis, height=HEIGHT, right=COLOUR_BAR_MARGIN)
    return PlainFigure([trace], figure_layout)


def alt_of_unit_weights(weights: np.ndarray, unit: str) -> str:
    """Describe `unit_weights` in words.

    Parameters
    ----------
    weights : np.ndarray
        As of `unit_weights`.
    unit : str
        Name of the unit, such as "filter 3 of conv1".

    Returns
    -------
    str
        Range of the weights.
    """
    return f"The weights of {unit}, from {weights.min():.3g} to {weights.max():.3g}."
