"""Output of one unit on a few images."""

import numpy as np

from pruning.figures.parts import AMOUNTS, COLOUR_BAR_MARGIN, GREYS, KEPT, Trace, colour_bar, layout
from pruning.figures.plain_figure import PlainFigure

GAP = 2
"""Distance between images, in pixels."""


def unit_activations(images: np.ndarray, activations: np.ndarray) -> PlainFigure:
    """Draw images in grey, and below each the output of a unit on it.

    Parameters
    ----------
    images : np.ndarray
        (n, C, H, W) uint8.
    activations : np.ndarray
        (n, h, w) maps, or (n,) numbers, drawn as bars.

    Returns
    -------
    PlainFigure
        Maps are enlarged to the size of the images.
    """
    grey = images.mean(1)  # (n, H, W)
    count, size, _ = grey.shape
    has_maps = activations.ndim == 3
    hidden = {"showticklabels": False, "showgrid": False, "ticks": "", "zeroline": False}
    x_axis = {
        "title": "calibration images",
        "range": [-1, count * (size + GAP) - GAP],
        **hidden,
    }
    y_axis = {"title": "activation", "domain": [0, 0.48], "showgrid": False}
    if has_maps:
        y_axis |= {"autorange": "reversed", "showticklabels": False}
    image_axis = {
        "domain": [0.52, 1],
        "autorange": "reversed",
        "title": {"text": "image"},
        **hidden,
    }
    figure_layout = layout(
        x=x_axis, y=y_axis, height=300, right=COLOUR_BAR_MARGIN, yaxis2=image_axis
    )
    shown = _maps_trace(activations, size) if has_maps else _bars_trace(activations, size)
    return PlainFigure([_images_trace(grey), shown], figure_layout)


def _images_trace(images: np.ndarray) -> Trace:
    return {
        "type": "heatmap",
        "z": _side_by_side(images),
        "colorscale": GREYS,
        "zmin": 0,
        "zmax": 255,
        "yaxis": "y2",
        "showscale": False,
        "hoverinfo": "skip",
    }


def _maps_trace(maps: np.ndarray, size: int) -> Trace:
    return {
        "type": "heatmap",
        "z": _side_by_side(_enlarge(maps, size)),
        "colorscale": AMOUNTS,
        "zmin": min(0.0, float(maps.min())),
        "zmax": float(maps.max()) or 1.0,
        "yaxis": "y",
        "colorbar": colour_bar("activation", len=0.5, y=0.24),
        "hoverinfo": "z",
    }


def _bars_trace(values: np.ndarray, size: int) -> Trace:
    return {
        "type": "bar",
        "x": np.arange(len(values)) * (size + GAP) + size / 2,
        "y": values.astype(np.float32),
        "width": size * 0.6,
        "marker": {"color": KEPT},
        "hovertemplate": "%{y:.3f}<extra></extra>",
        "showlegend": False,
    }


def _enlarge(maps: np.ndarray, size: int) -> np.ndarray:
    """Repeat the values of maps (n, h, w) to (n, size, size)."""
    _, height, width = maps.shape
    row_repeats, column_repeats = -(-size // height), -(-size // width)  # rounded up
    enlarged = np.repeat(np.repeat(maps, row_repeats, axis=1), column_repeats, axis=2)
    return enlarged[:, :size, :size]


def _side_by_side(images: np.ndarray) -> np.ndarray:
    """Arrange images (n, H, W) in a row, (H, n x (W + gap)) float32."""
    padded = np.pad(images, ((0, 0), (0, 0), (0, GAP)), constant_values=np.nan)
    return padded.transpose(1, 0, 2).reshape(images.shape[1], -1).astype(np.float32)


def alt_of_unit_activations(activations: np.ndarray, unit: str) -> str:
    """Describe `unit_activations` in words.

    Parameters
    ----------
    activations : np.ndarray
        As of `unit_activations`.
    unit : str
        Name of the unit, such as "filter 3 of conv1".

    Returns
    -------
    str
        Mean activation on each image.
    """
    means = ", ".join(f"{activation.mean():.3g}" for activation in activations)
    return f"Mean activation of {unit} on {len(activations)} calibration images: {means}."
