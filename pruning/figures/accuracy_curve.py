"""Accuracy of one recipe at many strengths, on Explore."""

from collections.abc import Iterable, Sequence

from pruning.engine.evaluation import Evaluation
from pruning.figures.parts import (
    HIGHLIGHT,
    Trace,
    accuracy_axis,
    confidence_bars,
    horizontal_line,
    join_descriptions,
    layout,
    share_axis,
)
from pruning.figures.plain_figure import PlainFigure
from pruning.figures.quantities import removed, removed_quantity
from pruning.methods.units import METHODS


def accuracy_curve(
    *,
    curve: Iterable[Evaluation],
    visited: Iterable[Evaluation],
    current: Evaluation | None,
) -> PlainFigure:
    """Draw accuracy against sparsity, or against the share of pixels removed.

    Parameters
    ----------
    curve : iterable of Evaluation
        Points that were computed for the curve.
    visited : iterable of Evaluation
        Settings that were looked at.
    current : Evaluation or None
        The current setting.

    Returns
    -------
    PlainFigure
        Accuracies of a part of the images have their 95% confidence intervals.
    """
    curve = sorted(curve, key=removed)
    visited = sorted(visited, key=removed)
    currents = [] if current is None else [current]
    known = [*curve, *visited, *currents]
    method = known[0].recipe.last_step.method if known else "weight"
    colour = METHODS[method].colour
    traces = [
        _curve_trace(curve, method, colour),
        _visited_trace(visited, method, colour),
        _current_trace(currents, method),
    ]
    figure_layout = layout(
        x=share_axis(removed_quantity([method]).title),
        y=accuracy_axis("test accuracy"),
        height=300,
        showlegend=True,
        shapes=[horizontal_line(evaluation.dense_accuracy) for evaluation in known[:1]],
    )
    return PlainFigure([trace for trace in traces if trace["x"]], figure_layout)


def _curve_trace(evaluations: Sequence[Evaluation], method: str, colour: str) -> Trace:
    return {
        **_points(evaluations, method),
        "name": "curve",
        "mode": "lines+markers",
        "line": {"color": colour, "width": 2},
        "marker": {"color": colour, "size": 5},
    }


def _visited_trace(evaluations: Sequence[Evaluation], method: str, colour: str) -> Trace:
    return {
        **_points(evaluations, method),
        "name": "visited",
        "mode": "markers",
        "marker": {"color": colour, "size": 8, "symbol": "circle-open", "line": {"width": 2}},
    }


def _current_trace(evaluations: Sequence[Evaluation], method: str) -> Trace:
    return {
        **_points(evaluations, method),
        "name": "current",
        "mode": "markers",
        "marker": {"color": HIGHLIGHT, "size": 12, "symbol": "diamond"},
    }


def _points(evaluations: Sequence[Evaluation], method: str) -> Trace:
    accuracies = [evaluation.accuracy for evaluation in evaluations]
    counted = "weights" if METHODS[method].has_weights else METHODS[method].label.lower()
    return {
        "type": "scatter",
        "x": [removed(evaluation) for evaluation in evaluations],
        "y": [accuracy.value for accuracy in accuracies],
        "error_y": confidence_bars(accuracies),
        "customdata": [f"{accuracy.images:,} images" for accuracy in accuracies],
        "hovertemplate": f"%{{x:.2%}} of {counted} removed: %{{y:.2%}} of %{{customdata}}"
        "<extra></extra>",
    }


def alt_of_accuracy_curve(evaluations: Iterable[Evaluation]) -> str:
    """Describe the points of `accuracy_curve` in words.

    Parameters
    ----------
    evaluations : iterable of Evaluation
        All points of the figure.

    Returns
    -------
    str
        Accuracy of each point.
    """
    descriptions = []
    for evaluation in sorted(evaluations, key=removed):
        share, accuracy = removed(evaluation), evaluation.accuracy.value
        descriptions.append(f"{share:.1%} removed, {accuracy:.2%}")
    return f"Test accuracy against sparsity: {join_descriptions(descriptions, 'no points yet')}."
