"""Several curves in one picture, with the spread over seeds and published points beside them."""

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from pruning.engine.evaluate import Point
from pruning.experiments.curves import Line
from pruning.experiments.literature import Published
from pruning.figures.comparison import COLOURS
from pruning.figures.parts import QUIET, layout

PALETTE = (
    *COLOURS,
    "#F0E442",
    "#888888",
    "#332288",
    "#117733",
    "#882255",
    "#44AA99",
)  # Okabe-Ito, then Tol


def removed(point: Point) -> float:
    """Sparsity; of pixels, which have no weights, the share of them."""
    return point.share if point.recipe.method == "feature" else point.sparsity


X = {
    "sparsity": ("sparsity (share of prunable weights removed; of pixels: of pixels)", removed),
    "compression": ("compression: all / effective parameters", lambda p: p.compression),
    "macs": ("effective MACs left", lambda p: p.macs / p.dense.macs),
}
Y = {
    "accuracy": ("test accuracy", lambda p: p.accuracy.value),
    "loss": ("test loss (mean cross-entropy, nats)", lambda p: p.loss),
}
MOST = 1000.0  # a compression beyond is drawn there: a dead network has no parameters left


def bundle(
    found: Sequence[Line],
    names: Sequence[str],
    *,
    x: str,
    y: str,
    published: Sequence[Published] = (),
) -> go.Figure:
    """A line per recipe: the mean over its seeds, and a band of one standard deviation where there are several.

    Points from fewer images than all carry their 95% interval. The ``customdata`` of a point is [line, place].
    """
    bands, traces = [], []
    for i, (line, name, colour) in enumerate(zip(found, names, PALETTE)):
        if not line.points:
            continue
        xs, _ = line.values(lambda p: min(MOST, X[x][1](p)))
        ys, spread = line.values(Y[y][1])
        order = np.argsort(xs, kind="stable")
        if any(len(place) > 1 for place in line.points):
            bands.append(_band(xs[order], ys[order], spread[order], colour))
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": name,
                "x": xs[order],
                "y": ys[order],
                "line": {"color": colour, "width": 2},
                "marker": {"color": colour, "size": 7},
                "error_y": _bars(line, order, y),
                "customdata": [[i, int(place)] for place in order],
                "text": [_told(line.points[place], name) for place in order],
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
    stars = [one for one in published if y == "accuracy" and getattr(one, x, None) is not None]
    if stars:
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "published",
                "x": [getattr(one, x) for one in stars],
                "y": [one.accuracy for one in stars],
                "marker": {"symbol": "star", "size": 13, "color": QUIET},
                "text": [
                    f"{one.source}: {one.accuracy:.2%}, dense {one.base:.2%}<br>{one.remark}"
                    for one in stars
                ],
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
    rows = (
        len(traces) if max(map(len, names), default=0) > 24 else math.ceil((len(traces) or 1) / 2)
    )
    axis = (
        {"type": "log", "dtick": math.log10(2)}
        if x == "compression"
        else {"range": [-0.02, 1.02], "tickformat": ".0%"}
    )
    return go.Figure(
        [*bands, *traces],
        layout(
            x={"title": X[x][0], **axis},
            height=380 + 20 * rows,
            showlegend=True,
            hovermode="closest",
            clickmode="event+select",
            y={
                "title": Y[y][0],
                **(
                    {"range": [0, 1.03], "tickformat": ".0%"}
                    if y == "accuracy"
                    else {"rangemode": "tozero"}
                ),
            },
            margin={"l": 62, "r": 12, "t": 14 + 20 * rows, "b": 50, "autoexpand": False},
        ),
    )


def _band(xs: np.ndarray, ys: np.ndarray, spread: np.ndarray, colour: str) -> dict:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [*xs, *xs[::-1]],
        "y": [*(ys + spread), *(ys - spread)[::-1]],
        "fill": "toself",
        "fillcolor": f"rgba({red},{green},{blue},0.2)",
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _bars(line: Line, order: np.ndarray, y: str) -> dict | None:
    """95% intervals, of one seed each."""
    if (
        y != "accuracy"
        or any(len(place) > 1 for place in line.points)
        or all(place[0].accuracy.complete for place in line.points)
    ):
        return None
    low, high = zip(*(line.points[place][0].accuracy.interval for place in order))
    values = [line.points[place][0].accuracy.value for place in order]
    return {
        "type": "data",
        "symmetric": False,
        "array": [h - v for h, v in zip(high, values)],
        "arrayminus": [v - b for b, v in zip(low, values)],
        "thickness": 1.5,
        "width": 3,
    }


def _told(place: list[Point], name: str) -> str:
    first, accuracies = place[0], [p.accuracy.value for p in place]
    seeds = (
        f"mean of {len(place)} seeds, spread {np.std(accuracies):.2%}"
        if len(place) > 1
        else "one run"
    )
    return (
        f"<b>{name}</b><br>{first.recipe.rule} {first.recipe.value if isinstance(first.recipe.value, str) else f'{first.recipe.value:.4g}'}"
        f"<br>accuracy {np.mean(accuracies):.2%} of {first.tally.images:,} images ({seeds})<br>loss {np.mean([p.loss for p in place]):.3f}"
        f"<br>sparsity {first.sparsity:.2%}, compression {first.compression:.2f}x, MACs {first.macs:,}"
    )


def alt(found: Sequence[Line], names: Sequence[str], *, x: str, y: str) -> str:
    told = []
    for line, name in zip(found, names):
        if line.points:
            xs, ys = line.values(X[x][1])[0], line.values(Y[y][1])[0]
            told.append(f"{name}: " + ", ".join(f"{v:.3g} at {at:.3g}" for at, v in zip(xs, ys)))
    return f"{Y[y][0].capitalize()} against {X[x][0]}. {'; '.join(told) or 'No points yet'}."
