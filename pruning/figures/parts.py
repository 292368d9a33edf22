"""Colours, layout and traces that several figures share.

Okabe-Ito and Tol colours for categories, Cividis for amounts: both suit colour-blind readers.
"""

import base64
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image
from plotly.colors import get_colorscale

from pruning.inference.accuracy import Accuracy

KEPT = "#0072B2"  # blue
REMOVED = "#E69F00"  # orange
HIGHLIGHT = "#D55E00"  # vermilion: the current setting or the selected unit
NEUTRAL = "#888888"  # readable on light and on dark backgrounds
REMOVED_IN_A, REMOVED_IN_B = "#009E73", "#CC79A7"  # green, pink: what one of two states removes
COLUMN_COLOURS = ("#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#D55E00")
"""Colours of the columns of a comparison, by position (Okabe-Ito)."""
CURVE_COLOURS = (
    *COLUMN_COLOURS,
    "#F0E442",
    "#888888",
    "#332288",
    "#117733",
    "#882255",
    "#44AA99",
)
"""Colours of the curves of one figure, by position (Okabe-Ito, then Tol)."""
AMOUNTS = get_colorscale("Cividis")
DIFFERENCES = get_colorscale("RdBu")
REMOVAL_DIFFERENCES = get_colorscale("PuOr_r")  # orange, as what is removed, where more is removed
GREYS = get_colorscale("gray")
SHARE_SCALE = {"colorscale": AMOUNTS, "zmin": 0, "zmax": 1}
"""Colour scale of a share from 0 to 1, the same in every figure."""

Trace = dict[str, Any]
"""A trace or a part of a layout as plotly.js reads it."""

LEFT_MARGIN = 62
COLOUR_BAR_MARGIN = 84
"""Right margin of a figure with a colour bar, in pixels."""

NARROW_PLOT_WIDTH = 306
"""Width of the plot area of a chart on a phone or in a third of a page (380 px), in pixels."""
LEGEND_ROW_HEIGHT = 20
LEGEND_SYMBOL_WIDTH = 45
CHARACTER_WIDTH = 6.5
"""Approximate mean width of a character at a font size of 12, in pixels."""


def layout(
    *,
    x: Mapping[str, Any],
    y: Mapping[str, Any],
    height: int,
    left: int = LEFT_MARGIN,
    right: int = 12,
    top: int = 34,
    bottom: int = 50,
    **settings: Any,
) -> Trace:
    """Return a layout with axes, height and margins.

    Figures are made in one piece, ``go.Figure(data=[...], layout=layout(...))``: each later update
    of a part costs milliseconds, and a move of the slider draws four figures. All margins are
    given: where plotly.js has to find them itself, it draws twice. The zoom survives new data of
    the same kind.

    Parameters
    ----------
    x, y : mapping
        Settings of the axes; ``title`` is the text of the title.
    height : int
        Height of the figure in pixels.
    left, right, top, bottom : int
        Margins in pixels.
    **settings
        Further settings of the layout.

    Returns
    -------
    dict
        The layout.
    """
    return {
        "height": height,
        "margin": {"l": left, "r": right, "t": top, "b": bottom, "autoexpand": False},
        "uirevision": "same",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "xaxis": _axis(x),
        "yaxis": _axis(y),
        **settings,
    }


def _axis(settings: Mapping[str, Any]) -> Trace:
    title = {"text": settings["title"], "standoff": 8}
    return {"automargin": False, "zeroline": False, **settings, "title": title}


def share_axis(title: str) -> Trace:
    """Return the settings of an axis from 0% to 100%.

    Parameters
    ----------
    title : str
        Title of the axis.

    Returns
    -------
    dict
        As of `layout`.
    """
    return {"title": title, "range": [-0.02, 1.02], "tickformat": ".0%"}


def accuracy_axis(title: str) -> Trace:
    """Return the settings of a vertical axis of accuracies.

    Parameters
    ----------
    title : str
        Title of the axis.

    Returns
    -------
    dict
        As of `layout`.
    """
    return {"title": title, "range": [0, 1.03], "tickformat": ".0%"}


def layer_axis() -> Trace:
    """Return the settings of a vertical axis with the first layer on top.

    Returns
    -------
    dict
        As of `layout`.
    """
    return {
        "title": "layer",
        "type": "category",
        "autorange": "reversed",
        "dtick": 1,
        "showgrid": False,
        "tickfont": {"size": 11},
    }


def label_margin(labels: Iterable[str]) -> int:
    """Return the left margin that category labels at a font size of 11 need.

    Parameters
    ----------
    labels : iterable of str
        Labels of the categories, at least one.

    Returns
    -------
    int
        Pixels.
    """
    return 34 + 6 * max(len(label) for label in labels)


def pixel_axes(height: int, width: int) -> tuple[Trace, Trace]:
    """Return the settings of the axes of an image, with its first row on top.

    Parameters
    ----------
    height, width : int
        Size of the image in pixels.

    Returns
    -------
    x : dict
        Horizontal axis, as of `layout`.
    y : dict
        Vertical axis.
    """
    shape = {"showgrid": False, "constrain": "domain"}
    x = {"title": "pixel column", "range": [-0.5, width - 0.5], **shape}
    y = {"title": "pixel row", "range": [height - 0.5, -0.5], "scaleanchor": "x", **shape}
    return x, y


def legend_height(names: Sequence[str]) -> int:
    """Return the height of a horizontal legend in a narrow chart.

    Parameters
    ----------
    names : sequence of str
        Names in the legend.

    Returns
    -------
    int
        Pixels; one entry a row if the names are long.
    """
    widths = [LEGEND_SYMBOL_WIDTH + CHARACTER_WIDTH * len(name) for name in names]
    widest = max(widths, default=NARROW_PLOT_WIDTH)
    entries_per_row = max(1, int(NARROW_PLOT_WIDTH // widest))
    return LEGEND_ROW_HEIGHT * max(1, math.ceil(len(names) / entries_per_row))


def colour_bar(title: str, **settings: Any) -> Trace:
    """Return the settings of a colour bar.

    Parameters
    ----------
    title : str
        Written along the bar.
    **settings
        Further settings of the colour bar.

    Returns
    -------
    dict
        As traces read it.
    """
    return {"title": {"text": title, "side": "right"}, "thickness": 12, **settings}


def horizontal_line(y: float) -> Trace:
    """Return a dotted line from x = 0 to x = 1, such as the accuracy of the dense network.

    Parameters
    ----------
    y : float
        Its height on the vertical axis.

    Returns
    -------
    dict
        A shape of a layout.
    """
    line = {"color": NEUTRAL, "dash": "dot"}
    return {"type": "line", "x0": 0, "x1": 1, "y0": y, "y1": y, "line": line}


def confidence_bars(accuracies: Sequence[Accuracy]) -> Trace | None:
    """Return error bars from the 95% confidence intervals of accuracies.

    Parameters
    ----------
    accuracies : sequence of Accuracy
        One for each point of a trace.

    Returns
    -------
    dict or None
        The ``error_y`` of a trace; None if all accuracies are of the whole set.
    """
    if all(accuracy.complete for accuracy in accuracies):
        return None
    above, below = [], []
    for accuracy in accuracies:
        low, high = accuracy.interval
        above.append(high - accuracy.value)
        below.append(accuracy.value - low)
    return {
        "type": "data",
        "symmetric": False,
        "array": above,
        "arrayminus": below,
        "thickness": 1.5,
        "width": 3,
    }


def click_points(
    x: np.ndarray,
    y: np.ndarray | Sequence[str],
    customdata: Sequence[Sequence[Any]],
    texts: Sequence[str],
    size: int,
) -> Trace:
    """Return invisible points that can be clicked and have a hover text.

    Parameters
    ----------
    x, y : np.ndarray or sequence of str
        (n,) positions.
    customdata : sequence
        What a click on each point reports.
    texts : sequence of str
        Hover texts.
    size : int
        Size of a point in pixels.

    Returns
    -------
    dict
        A scatter trace.
    """
    return {
        "type": "scatter",
        "mode": "markers",
        "x": x,
        "y": y,
        "customdata": customdata,
        "text": texts,
        "marker": {"size": size, "opacity": 0, "symbol": "square"},
        "hovertemplate": "%{text}<extra></extra>",
        "showlegend": False,
    }


def png_uri(image: Image.Image, **options: Any) -> str:
    """Encode an image as a data URI.

    Parameters
    ----------
    image : Image.Image
        Any image.
    **options
        Options of Pillow's PNG writer.

    Returns
    -------
    str
        Weakly compressed, because speed matters more than size.
    """
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1, **options)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def join_descriptions(descriptions: Iterable[str], default: str) -> str:
    """Join descriptions for an alternative text.

    Parameters
    ----------
    descriptions : iterable of str
        One for each item of a figure.
    default : str
        What to say if there are none.

    Returns
    -------
    str
        Separated by semicolons.
    """
    return "; ".join(descriptions) or default
