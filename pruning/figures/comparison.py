"""Columns of a comparison in one picture; each has one colour on all of them."""

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from pruning.engine.prune import Outcome
from pruning.figures.parts import QUIET, SHARE, layout

COLOURS = ("#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#D55E00")  # by place, Okabe-Ito
AXES = {
    "sparsity": "sparsity of the masks",
    "parameters": "effective parameters left",
    "macs": "effective MACs left",
}

Point = tuple[float, Outcome]


def against(
    axis: str,
    names: Sequence[str],
    lines: Sequence[Sequence[Point]],
    now: Sequence[Point | None],
    dense: float,
) -> go.Figure:
    """Test accuracy against ``axis``: a line per column, its present point as a diamond, with 95% intervals."""
    traces = []
    for name, colour, points, here in zip(names, COLOURS, lines, now):
        points = sorted(points, key=lambda point: point[0])
        traces.append(
            _trace(
                points,
                name,
                {
                    "mode": "lines+markers",
                    "line": {"color": colour, "width": 2},
                    "marker": {"size": 5, "color": colour},
                    "showlegend": False,
                },
            )
        )
        if here:
            traces.append(
                _trace(
                    [here],
                    name,
                    {
                        "mode": "markers",
                        "marker": {
                            "size": 12,
                            "symbol": "diamond",
                            "color": colour,
                            "line": {"width": 1, "color": "white"},
                        },
                    },
                )
            )
    return go.Figure(
        [trace for trace in traces if trace["x"]],
        layout(
            x={"title": AXES[axis], "range": [-0.02, 1.02], "tickformat": ".0%"},
            height=300 + 20 * math.ceil(len(names) / 2),
            showlegend=True,
            y={"title": "test accuracy", "range": [0, 1.03], "tickformat": ".0%"},
            margin=_room(len(names)),
            shapes=[
                {
                    "type": "line",
                    "x0": 0,
                    "x1": 1,
                    "y0": dense,
                    "y1": dense,
                    "line": {"color": QUIET, "dash": "dot"},
                }
            ],
        ),
    )


def _room(names: int) -> dict:
    """Margins that leave room above for the legend, two names a row."""
    return {"l": 62, "r": 12, "t": 14 + 20 * math.ceil(names / 2), "b": 50, "autoexpand": False}


def _trace(points: Sequence[Point], name: str, style: dict) -> dict:
    values = [o.accuracy.value for _, o in points]
    bars = None
    if any(not o.accuracy.complete for _, o in points):
        low, high = zip(*(o.accuracy.interval for _, o in points))
        bars = {
            "type": "data",
            "symmetric": False,
            "array": [h - v for h, v in zip(high, values)],
            "arrayminus": [v - w for v, w in zip(values, low)],
            "thickness": 1.5,
            "width": 3,
        }
    return {
        "type": "scatter",
        "name": name,
        "x": [x for x, _ in points],
        "y": values,
        "error_y": bars,
        "customdata": [f"{o.accuracy.images:,} images" for _, o in points],
        "hovertemplate": "%{x:.1%}: %{y:.2%} of %{customdata}",
        **style,
    }


def alt_of_against(axis: str, names: Sequence[str], now: Sequence[Point | None]) -> str:
    told = "; ".join(
        f"{name} {here[1].accuracy.value:.2%} at {here[0]:.1%}"
        for name, here in zip(names, now)
        if here
    )
    return f"Test accuracy against {AXES[axis]}: {told}."


def layers(names: Sequence[str], shares: Sequence[dict[str, float]]) -> go.Figure:
    """The sparsity of each layer (rows) in each column, on one scale of colours."""
    rows = list(shares[0])
    z = np.array([[column[layer] for column in shares] for layer in rows], np.float32)
    picture = {
        "type": "heatmap",
        "z": z,
        "x": [name.partition(".")[0] for name in names],
        "y": rows,
        "xgap": 2,
        "ygap": 1,
        **SHARE,
        "customdata": [list(names)] * len(rows),
        "colorbar": {
            "title": {"text": "sparsity", "side": "right"},
            "tickformat": ".0%",
            "thickness": 12,
        },
        "text": [[f"{v:.0%}" if v >= 0 else "refitted" for v in row] for row in z],
        "texttemplate": "%{text}",
        "hovertemplate": "%{y}, %{customdata}: %{z:.1%}<extra></extra>",
    }
    return go.Figure(
        [picture],
        layout(
            x={"title": "column", "type": "category", "showgrid": False},
            height=max(320, 90 + 18 * len(rows)),
            right=84,
            y={
                "title": "layer",
                "autorange": "reversed",
                "type": "category",
                "dtick": 1,
                "showgrid": False,
            },
            left=34 + 6 * max(map(len, rows)),
        ),
    )


def classes(
    names: Sequence[str], labels: Sequence[str], changes: Sequence[np.ndarray]
) -> go.Figure:
    """The change of each class's accuracy against dense, in points: a group of bars per class, a bar per column."""
    bars = [
        {
            "type": "bar",
            "name": name,
            "x": list(labels),
            "y": np.round(change, 2),
            "marker": {"color": colour},
            "hovertemplate": "%{x}: %{y:+.2f} points",
        }
        for name, colour, change in zip(names, COLOURS, changes)
    ]
    return go.Figure(
        bars,
        layout(
            x={"title": "class", "type": "category", "showgrid": False},
            y={"title": "change of accuracy (points)", "zeroline": True},
            height=300 + 20 * math.ceil(len(names) / 2),
            margin=_room(len(names)),
        ),
    )
