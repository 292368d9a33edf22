"""Confusion matrices and accuracy of each class."""

from collections.abc import Sequence

import numpy as np

from pruning.figures.parts import (
    AMOUNTS,
    DIFFERENCES,
    KEPT,
    NEUTRAL,
    Trace,
    join_descriptions,
    layout,
    legend_height,
)
from pruning.figures.plain_figure import PlainFigure

MAX_LISTED = 5
NARROW = 40
"""Size of labels up to which they are written horizontally, in pixels."""
UNCOLOURED = "rgba(136, 136, 136, 0.2)"


def confusion_figure(
    confusion: np.ndarray, classes: Sequence[str], *, is_difference: bool = False
) -> PlainFigure:
    """Draw a confusion matrix, or the difference of two.

    Parameters
    ----------
    confusion : np.ndarray
        (classes, classes) int64: images by true class (row) and predicted class; a difference has
        negative counts.
    classes : sequence of str
        Names of the classes.
    is_difference : bool
        Whether the counts are differences.

    Returns
    -------
    PlainFigure
        Errors on a scale of their own: the diagonal, which holds most images, is written but has
        no colour.
    """
    errors, correct = confusion.astype(np.float64), np.full(confusion.shape, np.nan)
    np.fill_diagonal(errors, np.nan)
    np.fill_diagonal(correct, 0)
    largest = float(np.nanmax(np.abs(errors), initial=1.0))
    texts = []
    for row in confusion.tolist():
        texts.append([_count_text(count, is_difference=is_difference) for count in row])
    names = list(classes)
    cells: Trace = {
        "type": "heatmap",
        "x": names,
        "y": names,
        "text": texts,
        "texttemplate": "%{text}",
    }
    cells["textfont"] = {"size": 10}
    gaps = {"xgap": 1, "ygap": 1, "hoverongaps": False}
    shown = {
        **cells,
        **gaps,
        "z": errors,
        "colorscale": DIFFERENCES if is_difference else AMOUNTS,
        "reversescale": is_difference,  # red where there are more errors
        "zmin": -largest if is_difference else 0,
        "zmax": largest,
        "showscale": False,  # the numbers are written
        "hovertemplate": "true %{y}, predicted %{x}: %{text} images<extra></extra>",
    }
    diagonal = {
        **cells,
        **gaps,
        "z": correct,
        "colorscale": [[0, UNCOLOURED], [1, UNCOLOURED]],
        "showscale": False,
        "hovertemplate": "correct %{y}: %{text} images<extra></extra>",
    }
    label_size = 20 + 7 * max(len(name) for name in names)
    axis = {"type": "category", "showgrid": False, "dtick": 1}
    figure_layout = layout(
        x={**axis, "title": "predicted class", "tickangle": -40 if label_size > NARROW else 0},
        y={**axis, "title": "true class", "autorange": "reversed"},
        height=360 + label_size,
        left=30 + label_size,
        bottom=30 + label_size,
        top=10,
    )
    return PlainFigure([shown, diagonal], figure_layout)


def _count_text(count: int, *, is_difference: bool) -> str:
    if not count:
        return ""
    return f"{count:+d}" if is_difference else str(count)


def alt_of_confusion(
    confusion: np.ndarray, classes: Sequence[str], *, is_difference: bool = False
) -> str:
    """Describe `confusion_figure` in words.

    Parameters
    ----------
    confusion : np.ndarray
        (classes, classes) int64.
    classes : sequence of str
        Names of the classes.
    is_difference : bool
        Whether the counts are differences.

    Returns
    -------
    str
        The largest errors, or their largest changes.
    """
    errors = np.abs(confusion)
    np.fill_diagonal(errors, 0)
    order = np.argsort(-errors, axis=None, kind="stable")[:MAX_LISTED]
    descriptions = []
    for true, predicted in zip(*np.unravel_index(order, errors.shape), strict=True):
        if errors[true, predicted]:
            count = _count_text(int(confusion[true, predicted]), is_difference=is_difference)
            descriptions.append(f"{classes[true]} as {classes[predicted]}: {count}")
    what = "Difference of two confusion matrices" if is_difference else "Confusion matrix"
    return f"{what}, largest errors: {join_descriptions(descriptions, 'none')}."


def class_accuracy_figure(
    before: np.ndarray, after: np.ndarray, classes: Sequence[str], names: tuple[str, str]
) -> PlainFigure:
    """Draw the accuracy of each class in two networks.

    Parameters
    ----------
    before, after : np.ndarray
        (classes,) from 0 to 1; NaN for a class without images.
    classes : sequence of str
        Names of the classes.
    names : tuple of str
        Names of the two networks.

    Returns
    -------
    PlainFigure
        A line for each class from the first to the second network.
    """
    x, y = [], []
    for name, first, second in zip(classes, before, after, strict=True):
        x += [name, name, None]
        y += [first, second, None]
    lines: Trace = {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": y,
        "line": {"color": NEUTRAL, "width": 2},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    traces = [lines]
    styles = (("circle-open", NEUTRAL), ("circle", KEPT))
    for name, values, (symbol, colour) in zip(names, (before, after), styles, strict=True):
        trace = {
            "type": "scatter",
            "mode": "markers",
            "name": name,
            "x": list(classes),
            "y": values,
            "marker": {"color": colour, "size": 10, "symbol": symbol, "line": {"width": 2}},
            "hovertemplate": "%{x}: %{y:.2%}",
        }
        traces.append(trace)
    legend = legend_height(names)
    figure_layout = layout(
        x={"title": "class", "type": "category", "showgrid": False, "dtick": 1},
        y={"title": "accuracy of the class", "tickformat": ".0%"},
        height=320 + legend,
        top=14 + legend,
    )
    return PlainFigure(traces, figure_layout)


def alt_of_class_accuracy(before: np.ndarray, after: np.ndarray, classes: Sequence[str]) -> str:
    """Describe `class_accuracy_figure` in words.

    Parameters
    ----------
    before, after : np.ndarray
        (classes,) from 0 to 1.
    classes : sequence of str
        Names of the classes.

    Returns
    -------
    str
        Both accuracies of every class.
    """
    descriptions = []
    for name, first, second in zip(classes, before, after, strict=True):
        if not np.isnan(first):
            descriptions.append(f"{name} {first:.1%} to {second:.1%}")
    return f"Accuracy of each class before and after: {join_descriptions(descriptions, 'none')}."
