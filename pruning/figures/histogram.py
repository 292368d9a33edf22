"""Distribution of weights or scores, and which of them are removed."""

import numpy as np

from pruning.figures.parts import HIGHLIGHT, KEPT, NEUTRAL, REMOVED, Trace, layout
from pruning.figures.plain_figure import PlainFigure

BINS = 161
BINS_OF_FEW = 61
FEW = 2000
"""Up to so many values are drawn in fewer bins."""


def histogram(
    values: np.ndarray,
    kept: np.ndarray,
    *,
    title: str = "weight",
    threshold: float | None = None,
    mirrored: bool = True,
    log: bool = False,
    kept_in_a: np.ndarray | None = None,
) -> PlainFigure:
    """Count values in bins: all of them in one colour, and the kept ones over them.

    The bins are counted here, so that the browser receives 161 numbers instead of all values.

    Parameters
    ----------
    values : np.ndarray
        (n,) weights or scores.
    kept : np.ndarray
        (n,) bool.
    title : str
        Title of the horizontal axis.
    threshold : float, optional
        Where to draw a line.
    mirrored : bool, default True
        Whether the range is symmetric, with a line at minus the threshold, too.
    log : bool, default False
        Whether counts are on a log scale.
    kept_in_a : np.ndarray, optional
        (m,) values that another network keeps, drawn as an outline.

    Returns
    -------
    PlainFigure
        The outermost bins also hold the values of the largest 0.1%.
    """
    low, high = value_range(values, mirrored=mirrored)
    clipped = np.clip(values, low, high)  # outliers would squeeze all others into one line
    bins = BINS if len(values) > FEW else BINS_OF_FEW
    counts, edges = np.histogram(clipped, bins, (low, high))
    kept_counts, _ = np.histogram(clipped[kept], edges)
    note = "<br>the outermost bins also hold the largest 0.1%"
    everything = _area("removed", REMOVED, edges, counts, f"in all near %{{x:.4g}}{note}")
    remaining = _area("kept", KEPT, edges, kept_counts, f"kept near %{{x:.4g}}{note}")
    traces = [everything, remaining]
    if kept_in_a is not None:
        counts_in_a, _ = np.histogram(np.clip(kept_in_a, low, high), edges)
        traces.append(_outline("kept in A", edges, counts_in_a))
    lines = []
    for position in _thresholds(threshold, mirrored):
        if low <= position <= high:
            lines.append(_vertical_line(position))
    y_axis = {
        "title": "number in bin (log scale)" if log else "number in bin",
        "type": "log" if log else "linear",
        "rangemode": "tozero",
        "tickformat": "~s",
    }
    return PlainFigure(traces, layout(x={"title": title}, y=y_axis, height=300, shapes=lines))


def value_range(values: np.ndarray, *, mirrored: bool) -> tuple[float, float]:
    """Return the ends of the horizontal axis.

    Parameters
    ----------
    values : np.ndarray
        (n,) weights or scores.
    mirrored : bool
        Whether the range is symmetric.

    Returns
    -------
    tuple of float
        Without the largest 0.1%.
    """
    if not len(values):
        return -1.0, 1.0
    if mirrored:
        limit = float(np.quantile(np.abs(values), 0.999)) or 1.0
        return -limit, limit
    low, high = float(values.min()), float(np.quantile(values, 0.999))
    if low < high:
        return low, high
    return low - 0.5, low + 0.5


def _area(name: str, colour: str, edges: np.ndarray, counts: np.ndarray, hover: str) -> Trace:
    """Draw counts as one path with two corners for each bin: faster than 161 bars."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": np.repeat(edges, 2)[1:-1].astype(np.float32),
        "y": np.repeat(counts, 2).astype(np.int32),
        "fill": "tozeroy",
        "fillcolor": colour,
        "line": {"color": colour, "width": 1},
        "hovertemplate": f"%{{y:,}} {hover}<extra></extra>",
    }


def _outline(name: str, edges: np.ndarray, counts: np.ndarray) -> Trace:
    line = {"color": NEUTRAL, "width": 2}
    area = _area(name, NEUTRAL, edges, counts, f"{name} near %{{x:.4g}}")
    return {**area, "fill": "none", "line": line}


def _thresholds(threshold: float | None, mirrored: bool) -> list[float]:
    if threshold is None:
        return []
    return [-threshold, threshold] if mirrored else [threshold]


def _vertical_line(x: float) -> Trace:
    return {
        "type": "line",
        "x0": x,
        "x1": x,
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "line": {"color": HIGHLIGHT, "width": 2, "dash": "dash"},
    }


def alt_of_histogram(
    values: np.ndarray, kept: np.ndarray, layer: str, quantity: str = "weights"
) -> str:
    """Describe `histogram` in words.

    Parameters
    ----------
    values : np.ndarray
        (n,) weights or scores.
    kept : np.ndarray
        (n,) bool.
    layer : str
        Where the values are from.
    quantity : str
        What the values are.

    Returns
    -------
    str
        Range and numbers.
    """
    value_range = ""
    if len(values):
        value_range = f", from {values.min():.3g} to {values.max():.3g}"
    return (
        f"Histogram of the {len(values):,} {quantity} of {layer}{value_range}: "
        f"{int(kept.sum()):,} kept, {int((~kept).sum()):,} removed."
    )
