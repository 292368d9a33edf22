"""Accuracy against sparsity."""

from collections.abc import Iterable

import plotly.graph_objects as go

from pruning.engine.evaluate import Point
from pruning.engine.prune import Outcome
from pruning.figures.parts import MARK, METHOD, QUIET, layout


def curve(
    *, line: Iterable[Outcome | Point], visited: Iterable[Outcome], now: Outcome | None
) -> go.Figure:
    """``line``: points computed for the curve; ``visited``: settings that were looked at; ``now``: the present one.

    Accuracies from fewer images than all carry their 95% interval.
    """
    line, visited = (sorted(points, key=_x) for points in (line, visited))
    known = [*line, *visited, *([now] if now else [])]
    pixels = bool(known) and known[0].recipe.method == "feature"
    colour = METHOD[known[0].recipe.method] if known else None
    traces = [
        _points(
            line,
            "curve",
            mode="lines+markers",
            line={"color": colour, "width": 2},
            marker={"color": colour, "size": 5},
        ),
        _points(
            visited,
            "visited",
            mode="markers",
            marker={"color": colour, "size": 8, "symbol": "circle-open", "line": {"width": 2}},
        ),
        _points(
            [now] if now else [],
            "now",
            mode="markers",
            marker={"color": MARK, "size": 12, "symbol": "diamond"},
        ),
    ]
    dense = (
        [
            {
                "type": "line",
                "x0": 0,
                "x1": 1,
                "y0": known[0].dense_accuracy,
                "y1": known[0].dense_accuracy,
                "line": {"color": QUIET, "dash": "dot"},
            }
        ]
        if known
        else []
    )
    return go.Figure(
        [trace for trace in traces if trace["x"]],
        layout(
            x={
                "title": "share of input pixels removed"
                if pixels
                else "sparsity (share of prunable weights removed)",
                "range": [-0.02, 1.02],
                "tickformat": ".0%",
            },
            y={"title": "test accuracy", "range": [0, 1.03], "tickformat": ".0%"},
            height=300,
            showlegend=True,
            shapes=dense,
        ),
    )


def _x(outcome: Outcome) -> float:
    return outcome.share if outcome.recipe.method == "feature" else outcome.sparsity


def _points(outcomes: list[Outcome], name: str, **style) -> dict:
    values = [o.accuracy.value for o in outcomes]
    bars = None
    if any(not o.accuracy.complete for o in outcomes):
        low, high = zip(*(o.accuracy.interval for o in outcomes))
        bars = {
            "type": "data",
            "symmetric": False,
            "array": [h - v for h, v in zip(high, values)],
            "arrayminus": [v - low for v, low in zip(values, low)],
            "thickness": 1.5,
            "width": 3,
        }
    return {
        "type": "scatter",
        "name": name,
        "x": [_x(o) for o in outcomes],
        "y": values,
        "error_y": bars,
        "customdata": [f"{o.accuracy.images:,} images" for o in outcomes],
        "hovertemplate": "%{x:.2%} removed: %{y:.2%} of %{customdata}<extra></extra>",
        **style,
    }


def alt(points: Iterable[Outcome]) -> str:
    told = "; ".join(f"{_x(o):.1%} removed, {o.accuracy.value:.2%}" for o in sorted(points, key=_x))
    return f"Test accuracy against sparsity: {told or 'no points yet'}."
