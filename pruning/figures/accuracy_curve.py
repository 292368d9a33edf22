"""Accuracy of one recipe at many strengths, on Explore."""

from collections.abc import Iterable, Sequence

from pruning.engine.evaluation import Evaluation
from pruning.figures.parts import (
    HIGHLIGHT,
    LEGEND_ROW_HEIGHT,
    NEUTRAL,
    Trace,
    accuracy_axis,
    confidence_bars,
    horizontal_line,
    join_descriptions,
    layout,
    legend_height,
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
    curve_of_a: Iterable[Evaluation] = (),
    current_of_a: Evaluation | None = None,
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
    curve_of_a : iterable of Evaluation
        Curve of another recipe, to compare with.
    current_of_a : Evaluation or None
        The other recipe.

    Returns
    -------
    PlainFigure
        Accuracies of a part of the images have their 95% confidence intervals. The custom data of
        a point are its number of images in words, and the value of the last step.
    """
    curve = sorted(curve, key=removed)
    visited = sorted(visited, key=removed)
    currents = [] if current is None else [current]
    known = [*curve, *visited, *currents]
    method = known[0].recipe.last_step.method if known else "weight"
    colour = METHODS[method].colour
    curve_of_a = sorted(curve_of_a, key=removed)
    currents_of_a = [] if current_of_a is None else [current_of_a]
    known_of_a = [*curve_of_a, *currents_of_a]
    method_of_a = known_of_a[0].recipe.last_step.method if known_of_a else method
    is_compared = bool(known_of_a)
    traces = [
        _curve_of_a_trace(curve_of_a, method_of_a),
        _current_of_a_trace(currents_of_a, method_of_a),
        _curve_trace(curve, method, colour, "curve of B" if is_compared else "curve"),
        _visited_trace(visited, method, colour),
        _current_trace(currents, method, "B" if is_compared else "current"),
    ]
    legend = legend_height([trace["name"] for trace in traces if trace["x"]])
    figure_layout = layout(
        x=share_axis(removed_quantity([method, method_of_a]).title),
        y=accuracy_axis("test accuracy"),
        height=300 + legend - LEGEND_ROW_HEIGHT,
        top=14 + legend,
        showlegend=True,
        shapes=[horizontal_line(evaluation.dense_accuracy) for evaluation in known[:1]],
    )
    return PlainFigure([trace for trace in traces if trace["x"]], figure_layout)


def _curve_trace(evaluations: Sequence[Evaluation], method: str, colour: str, name: str) -> Trace:
    return {
        **_points(evaluations, method),
        "name": name,
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


def _curve_of_a_trace(evaluations: Sequence[Evaluation], method: str) -> Trace:
    return {
        **_points_of_a(evaluations, method),
        "name": "curve of A",
        "mode": "lines",
        "line": {"color": NEUTRAL, "width": 2, "dash": "dash"},
    }


def _current_of_a_trace(evaluations: Sequence[Evaluation], method: str) -> Trace:
    outline = {"color": NEUTRAL, "width": 3}
    return {
        **_points_of_a(evaluations, method),
        "name": "A",
        "mode": "markers",
        "marker": {"color": NEUTRAL, "size": 12, "symbol": "diamond-open", "line": outline},
    }


def _current_trace(evaluations: Sequence[Evaluation], method: str, name: str) -> Trace:
    return {
        **_points(evaluations, method),
        "name": name,
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
        "customdata": [_custom_data(evaluation) for evaluation in evaluations],
        "hovertemplate": f"%{{x:.2%}} of {counted} removed: %{{y:.2%}} of %{{customdata[0]}}"
        "<extra></extra>",
        "unselected": {"marker": {"opacity": 1}},  # a click opens a point, it does not mark it
    }


def _points_of_a(evaluations: Sequence[Evaluation], method: str) -> Trace:
    """Return points without values, which are not those of the recipe that the page shows."""
    points = _points(evaluations, method)
    images = [data[:1] for data in points["customdata"]]
    return {**points, "customdata": images}


def _custom_data(evaluation: Evaluation) -> list[str | float | None]:
    """Return the images in words, and the value of the last step if it has one for all layers."""
    step = evaluation.recipe.last_step
    value = None if step.scope == "custom" else step.value
    return [f"{evaluation.accuracy.images:,} images", value]


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
