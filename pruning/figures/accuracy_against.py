"""Accuracy of the columns of a comparison against sparsity or effective cost."""

from collections.abc import Sequence

from pruning.engine.evaluation import Evaluation
from pruning.figures.parts import (
    COLUMN_COLOURS,
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
from pruning.figures.quantities import EFFECTIVE_MACS, EFFECTIVE_PARAMETERS, SPARSITY, Quantity

AXES = {
    "sparsity": SPARSITY,
    "parameters": EFFECTIVE_PARAMETERS,
    "macs": EFFECTIVE_MACS,
}


def accuracy_against(
    axis: str,
    names: Sequence[str],
    curves: Sequence[Sequence[Evaluation]],
    current: Sequence[Evaluation | None],
) -> PlainFigure:
    """Draw test accuracy against a quantity: a curve for each column, a diamond where it is now.

    Parameters
    ----------
    axis : str
        Name in ``AXES``.
    names : sequence of str
        Names of the columns, at most as many as there are colours.
    curves : sequence of sequence of Evaluation
        Points of each column's curve, in any order; may be empty.
    current : sequence of Evaluation or None
        Evaluation of each column.

    Returns
    -------
    PlainFigure
        Accuracies of a part of the images have their 95% confidence intervals.
    """
    quantity = AXES[axis]
    colours = COLUMN_COLOURS[: len(names)]
    traces: list[Trace] = []
    for name, colour, curve, evaluation in zip(names, colours, curves, current, strict=True):
        if curve:
            traces.append(_curve_trace(quantity, name, colour, curve))
        if evaluation is not None:
            traces.append(_current_trace(quantity, name, colour, evaluation))
    known = [evaluation for evaluation in current if evaluation is not None]
    legend = legend_height(names)
    figure_layout = layout(
        x=share_axis(quantity.title),
        y=accuracy_axis("test accuracy"),
        height=300 + legend,
        top=14 + legend,
        showlegend=True,
        shapes=[horizontal_line(evaluation.dense_accuracy) for evaluation in known[:1]],
    )
    return PlainFigure(traces, figure_layout)


def _curve_trace(
    quantity: Quantity, name: str, colour: str, evaluations: Sequence[Evaluation]
) -> Trace:
    return {
        **_points(quantity, name, sorted(evaluations, key=quantity.value)),
        "mode": "lines+markers",
        "line": {"color": colour, "width": 2},
        "marker": {"size": 5, "color": colour},
        "showlegend": False,
    }


def _current_trace(quantity: Quantity, name: str, colour: str, evaluation: Evaluation) -> Trace:
    outline = {"width": 1, "color": "white"}
    return {
        **_points(quantity, name, [evaluation]),
        "mode": "markers",
        "marker": {"size": 12, "symbol": "diamond", "color": colour, "line": outline},
    }


def _points(quantity: Quantity, name: str, evaluations: Sequence[Evaluation]) -> Trace:
    accuracies = [evaluation.accuracy for evaluation in evaluations]
    return {
        "type": "scatter",
        "name": name,
        "x": [quantity.value(evaluation) for evaluation in evaluations],
        "y": [accuracy.value for accuracy in accuracies],
        "error_y": confidence_bars(accuracies),
        "customdata": [f"{accuracy.images:,} images" for accuracy in accuracies],
        "hovertemplate": f"{quantity.title}: %{{x:.1%}}<br>%{{y:.2%}} of %{{customdata}}",
    }


def alt_of_accuracy_against(
    axis: str, names: Sequence[str], current: Sequence[Evaluation | None]
) -> str:
    """Describe the columns of `accuracy_against` in words.

    Parameters
    ----------
    axis : str
        Name in ``AXES``.
    names : sequence of str
        Names of the columns.
    current : sequence of Evaluation or None
        Evaluation of each column.

    Returns
    -------
    str
        Accuracy of each column, and where it is on the axis.
    """
    quantity = AXES[axis]
    descriptions = []
    for name, evaluation in zip(names, current, strict=True):
        if evaluation is not None:
            accuracy, position = evaluation.accuracy.value, quantity.value(evaluation)
            descriptions.append(f"{name} {accuracy:.2%} at {position:.1%}")
    description = join_descriptions(descriptions, "no points yet")
    return f"Test accuracy against {quantity.title}: {description}."
