"""How weights or scores are distributed, and which part of them goes."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from pruning.figures.parts import KEPT, MARK, REMOVED, layout


def histogram(
    values: np.ndarray,
    kept: np.ndarray,
    *,
    title: str = "weight",
    threshold: float | None = None,
    mirrored: bool = True,
    log: bool = False,
    bins: int = 161,
) -> go.Figure:
    """Counts of ``values`` (n,), split by ``kept`` (n,) bool; a line at ``threshold``, and at minus it if ``mirrored``.

    Bins are made here, so that the browser gets 161 numbers and not n. All values are drawn in one colour and the kept
    ones over them.
    """
    low, high = _range(values, mirrored)
    values = np.clip(values, low, high)  # a few large ones would squeeze all others into one line
    counts, edges = np.histogram(values, bins if len(values) > 2000 else 61, (low, high))
    alive, _ = np.histogram(values[kept], edges)
    left = np.repeat(edges, 2)[1:-1].astype(
        np.float32
    )  # each bin's two corners: one path draws faster than 161 bars
    areas = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": left,
            "y": np.repeat(heights, 2).astype(np.int32),
            "fill": "tozeroy",
            "fillcolor": colour,
            "line": {"color": colour, "width": 1},
            "hovertemplate": f"%{{y:,}} {what} near %{{x:.4g}}<extra></extra>",
        }
        for name, what, heights, colour in (
            ("removed", "in all", counts, REMOVED),
            ("kept", "kept", alive, KEPT),
        )
    ]
    lines = [
        {
            "type": "line",
            "x0": side,
            "x1": side,
            "y0": 0,
            "y1": 1,
            "yref": "paper",
            "line": {"color": MARK, "width": 2, "dash": "dash"},
        }
        for side in (
            [] if threshold is None else [-threshold, threshold] if mirrored else [threshold]
        )
        if low <= side <= high
    ]
    return go.Figure(
        areas,
        layout(
            x={"title": f"{title} (the outermost bins hold the largest 0.1%, too)"},
            height=300,
            shapes=lines,
            y={
                "title": "number in bin (log scale)" if log else "number in bin",
                "type": "log" if log else "linear",
                "rangemode": "tozero",
                "tickformat": "~s",
            },
        ),
    )


def bars(units: Mapping[str, tuple[float, bool]], *, title: str) -> go.Figure:
    """A bar for each of a few ``units`` {name: (score, kept)}, in network order."""
    names = list(units)
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": word,
            "y": [n for n in names if units[n][1] is kept],
            "x": [units[n][0] for n in names if units[n][1] is kept],
            "marker": {"color": colour},
            "hovertemplate": "%{y}: %{x:.4g}<extra></extra>",
        }
        for word, kept, colour in (("removed", False, REMOVED), ("kept", True, KEPT))
    ]
    return go.Figure(
        traces,
        layout(
            x={"title": title},
            height=300,
            left=40 + 7 * max(map(len, names)),
            barmode="overlay",
            y={
                "title": "layer",
                "type": "category",
                "categoryorder": "array",
                "categoryarray": names[::-1],
                "showgrid": False,
            },
        ),
    )


def alt_of_bars(units: Mapping[str, tuple[float, bool]]) -> str:
    return (
        "Scores: "
        + "; ".join(
            f"{name} {score:.3g}, {'kept' if kept else 'removed'}"
            for name, (score, kept) in units.items()
        )
        + "."
    )


def _range(values: np.ndarray, mirrored: bool) -> tuple[float, float]:
    if not len(values):
        return (-1.0, 1.0)
    if mirrored:
        limit = float(np.quantile(np.abs(values), 0.999)) or 1.0
        return (-limit, limit)
    low, high = float(values.min()), float(np.quantile(values, 0.999))
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def alt(values: np.ndarray, kept: np.ndarray, where: str, what: str = "weights") -> str:
    span = f", from {values.min():.3g} to {values.max():.3g}" if len(values) else ""
    return (
        f"Histogram of the {len(values):,} {what} of {where}{span}: "
        f"{int(kept.sum()):,} kept, {int((~kept).sum()):,} removed."
    )
