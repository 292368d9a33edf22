"""Many small images in a grid: filters, feature maps, test images."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageColor
from plotly.colors import get_colorscale, sample_colorscale

from pruning.figures.parts import (
    REMOVED,
    Trace,
    click_points,
    layout,
    png_uri,
)
from pruning.figures.pixels import displayed
from pruning.figures.plain_figure import PlainFigure

GAP = 0.12
"""Distance between tiles, as a share of their size; at least one pixel."""
LABEL_SHARE = 0.42
"""Height of a label below a tile, as a share of the tile's height."""
MIN_SIDE = 900
"""Least side of the picture in pixels: the pixels of the tiles are enlarged."""
DIMMED = 70
"""Opacity of removed tiles, of 255."""
COLOURS = 256
MIN_FRAME, MAX_FRAME = 2, 6
"""Width of the frame of a removed tile, in pixels of the picture: a third of an enlarged pixel."""
BAR_HEIGHT = 64
"""Room for a colour bar below the tiles, in pixels."""


@dataclass(frozen=True)
class Scale:
    """How numbers become colours.

    Parameters
    ----------
    name : str
        Name of a colour scale of Plotly.
    low, high : float
        Ends of the scale.
    title : str
        What the numbers are; empty for no colour bar.
    """

    name: str
    low: float
    high: float
    title: str = ""


def symmetric_scale(values: np.ndarray, title: str = "") -> Scale:
    """Return a scale for numbers around zero, blue for positive ones.

    Parameters
    ----------
    values : np.ndarray
        Any shape.
    title : str
        What the numbers are.

    Returns
    -------
    Scale
        White at zero.
    """
    largest = float(np.abs(values).max(initial=0.0)) or 1.0
    return Scale("RdBu", -largest, largest, title)


def tiles(
    images: np.ndarray,
    *,
    texts: Sequence[str],
    scale: Scale | None = None,
    labels: Sequence[str] = (),
    customdata: Sequence[Sequence[Any]] | None = None,
    removed: np.ndarray | None = None,
    columns: int | None = None,
    height: int = 360,
) -> PlainFigure:
    """Draw images of one size in a grid.

    Parameters
    ----------
    images : np.ndarray
        (n, H, W) numbers, drawn in the colours of ``scale``, or (n, H, W, 3) uint8 colours.
    texts : sequence of str
        (n,) hover texts.
    scale : Scale, optional
        Of numbers.
    labels : sequence of str
        (n,) texts below the images; none by default.
    customdata : sequence, optional
        (n,) what a click on each image reports; by default its index.
    removed : np.ndarray, optional
        (n,) bool: these are faint and framed in orange.
    columns : int, optional
        Images in a row; by default as many as rows, rounded up.
    height : int
        Height of the figure in pixels.

    Returns
    -------
    PlainFigure
        Over each image is an invisible point that can be clicked.
    """
    grid = _Grid.of(images, columns, has_labels=bool(labels))
    removed = np.zeros(len(images), bool) if removed is None else removed
    x, y = grid.centres()
    data = [[index] for index in range(len(images))] if customdata is None else customdata
    tile_pixels = (height - 20) / max(1, grid.rows) * 0.7
    traces = [
        grid.trace(_colours(images, scale), removed),
        click_points(x, y, data, texts, size=max(4, int(tile_pixels))),
    ]
    has_bar = scale is not None and bool(scale.title)
    if scale is not None and has_bar:
        traces.append(_colour_bar_trace(scale))
    hidden = {"showgrid": False, "showticklabels": False, "ticks": "", "title": ""}
    x_axis = {**hidden, "range": [-1, grid.full_width], "constrain": "domain"}
    y_axis = {
        **hidden,
        "range": [grid.full_height, -1],
        "scaleanchor": "x",
        "constrain": "domain",
    }
    figure_layout = layout(
        x=x_axis,
        y=y_axis,
        height=height,
        left=4,
        right=4,
        top=4,
        bottom=BAR_HEIGHT if has_bar else 4,
        hovermode="closest",
    )
    if labels:
        figure_layout["annotations"] = _annotations(x, y + grid.height / 2, labels)
    return PlainFigure(traces, figure_layout)


@dataclass(frozen=True)
class _Grid:
    """Where tiles are, in pixels of their own."""

    count: int
    columns: int
    height: int
    width: int
    gap: int
    label: int

    @classmethod
    def of(cls, images: np.ndarray, columns: int | None, *, has_labels: bool) -> "_Grid":
        count, height, width = images.shape[:3]
        columns = columns or math.ceil(math.sqrt(max(1, count)))
        gap = max(1, round(GAP * max(height, width)))
        label = round(LABEL_SHARE * height) if has_labels else 0
        return cls(count, columns, height, width, gap, label)

    @property
    def rows(self) -> int:
        return max(1, math.ceil(self.count / self.columns))

    @property
    def full_width(self) -> int:
        return self.columns * (self.width + self.gap)

    @property
    def full_height(self) -> int:
        return self.rows * (self.height + self.gap + self.label)

    def corner(self, index: int) -> tuple[int, int]:
        """Row and column of the upper left pixel of a tile."""
        row, column = divmod(index, self.columns)
        return row * (self.height + self.gap + self.label), column * (self.width + self.gap)

    def centres(self) -> tuple[np.ndarray, np.ndarray]:
        """(n,) horizontal and vertical positions."""
        rows, columns = np.divmod(np.arange(self.count), self.columns)
        x = columns * (self.width + self.gap) + (self.width - 1) / 2
        y = rows * (self.height + self.gap + self.label) + (self.height - 1) / 2
        return x.astype(np.float32), y.astype(np.float32)

    def trace(self, colours: np.ndarray, removed: np.ndarray) -> Trace:
        """Draw tiles (n, H, W, 3) uint8 as one image."""
        zoom = max(1, MIN_SIDE // max(self.full_height, self.full_width))
        margin = min(max(zoom // 3, MIN_FRAME), MAX_FRAME)
        shape = (zoom * self.full_height + 2 * margin, zoom * self.full_width + 2 * margin, 4)
        picture = np.zeros(shape, np.uint8)
        frame = np.array([*ImageColor.getrgb(REMOVED), 255], np.uint8)
        height, width = zoom * self.height, zoom * self.width
        for index, tile in enumerate(colours):
            row, column = (zoom * position for position in self.corner(index))
            if removed[index]:
                outer_rows = slice(row, row + height + 2 * margin)
                outer_columns = slice(column, column + width + 2 * margin)
                picture[outer_rows, outer_columns] = frame
            rows = slice(row + margin, row + margin + height)
            columns = slice(column + margin, column + margin + width)
            picture[rows, columns, :3] = tile.repeat(zoom, 0).repeat(zoom, 1)
            picture[rows, columns, 3] = DIMMED if removed[index] else 255
        origin = (1 / zoom - 1) / 2 - margin / zoom
        return {
            "type": "image",
            "source": png_uri(Image.fromarray(picture)),
            "hoverinfo": "skip",
            "x0": origin,
            "dx": 1 / zoom,
            "y0": origin,
            "dy": 1 / zoom,
        }


def _colours(images: np.ndarray, scale: Scale | None) -> np.ndarray:
    """(n, H, W, 3) uint8."""
    if scale is None:
        return images
    share = (images.astype(np.float64) - scale.low) / ((scale.high - scale.low) or 1.0)
    indices = np.rint(np.clip(share, 0, 1) * (COLOURS - 1)).astype(np.uint8)
    return _table(scale.name)[indices]


@cache
def _table(name: str) -> np.ndarray:
    """(COLOURS, 3) uint8, the colours of a scale."""
    samples = sample_colorscale(get_colorscale(name), COLOURS, colortype="tuple")
    return np.rint(255 * np.array(samples)).astype(np.uint8)


def _annotations(x: np.ndarray, y: np.ndarray, labels: Sequence[str]) -> list[Trace]:
    """Return texts below tiles; annotations have the colour of the page's text."""
    annotations = []
    for column, row, label in zip(x.tolist(), y.tolist(), labels, strict=True):
        annotations.append(
            {
                "x": column,
                "y": row,
                "text": label,
                "showarrow": False,
                "yanchor": "top",
                "font": {"size": 13},
            }
        )
    return annotations


def _colour_bar_trace(scale: Scale) -> Trace:
    """Return a trace without points that has a colour bar."""
    marker = {
        "color": [scale.low],
        "colorscale": get_colorscale(scale.name),
        "cmin": scale.low,
        "cmax": scale.high,
        "showscale": True,
        "colorbar": {
            "title": {"text": scale.title, "side": "bottom"},
            "orientation": "h",
            "thickness": 10,
            "y": 0,
            "yanchor": "top",
            "len": 0.8,
        },
    }
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [None],
        "y": [None],
        "marker": marker,
        "hoverinfo": "skip",
        "showlegend": False,
    }


def colour_images(pixels: np.ndarray) -> np.ndarray:
    """Return images as colours for `tiles`.

    Parameters
    ----------
    pixels : np.ndarray
        (n, C, H, W), as of `displayed`.

    Returns
    -------
    np.ndarray
        (n, H, W, 3) uint8; one channel is grey.
    """
    channels_last = displayed(pixels).transpose(0, 2, 3, 1)
    return np.broadcast_to(channels_last, (*channels_last.shape[:3], 3))
