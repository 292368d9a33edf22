"""Accuracy against sparsity."""

from collections.abc import Iterable

import plotly.graph_objects as go

from pruning.experiment import Outcome
from pruning.figures.style import MARK, METHOD, QUIET, finish


def curve(*, line: Iterable[Outcome], visited: Iterable[Outcome], now: Outcome | None) -> go.Figure:
    """``line``: points computed for the curve; ``visited``: settings that were looked at; ``now``: the present one.

    Accuracies from fewer images than all carry their 95% interval.
    """
    figure = go.Figure()
    known = [*line, *visited, *([now] if now else [])]
    if known:
        colour = METHOD[known[0].recipe.method]
        figure.add_hline(known[0].dense_accuracy, line={"color": QUIET, "dash": "dot"})
        _points(figure, sorted(line, key=lambda o: o.sparsity), "curve", mode="lines+markers",
                line={"color": colour, "width": 2}, marker={"color": colour, "size": 5})
        _points(figure, sorted(visited, key=lambda o: o.sparsity), "visited", mode="markers",
                marker={"color": colour, "size": 8, "symbol": "circle-open", "line_width": 2})
        _points(figure, [now] if now else [], "now", mode="markers",
                marker={"color": MARK, "size": 12, "symbol": "diamond"})
    finish(figure, x="sparsity (share of prunable weights removed)", y="test accuracy", height=300, showlegend=True)
    figure.update_xaxes(range=[-0.02, 1.02], tickformat=".0%", zeroline=False)
    figure.update_yaxes(range=[0, 1.03], tickformat=".0%")
    return figure


def _points(figure: go.Figure, outcomes: list[Outcome], name: str, **style) -> None:
    if not outcomes:
        return
    values = [o.accuracy.value for o in outcomes]
    low, high = zip(*(o.accuracy.interval for o in outcomes))
    partial = any(not o.accuracy.complete for o in outcomes)
    bars = {"type": "data", "symmetric": False, "array": [h - v for h, v in zip(high, values)],
            "arrayminus": [v - low for v, low in zip(values, low)], "thickness": 1.5, "width": 3}
    figure.add_scatter(x=[o.sparsity for o in outcomes], y=values, name=name, error_y=bars if partial else None,
                       customdata=[f"{o.accuracy.images:,} images" for o in outcomes],
                       hovertemplate="%{x:.2%} removed: %{y:.2%} of %{customdata}<extra></extra>", **style)


def alt(points: Iterable[Outcome]) -> str:
    told = "; ".join(f"{o.sparsity:.1%} removed, {o.accuracy.value:.2%}"
                     for o in sorted(points, key=lambda o: o.sparsity))
    return f"Test accuracy against sparsity: {told or 'no points yet'}."
