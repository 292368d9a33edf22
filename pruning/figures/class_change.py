"""Change of each class's accuracy in the columns of a comparison."""

from collections.abc import Sequence

import numpy as np

from pruning.figures.parts import COLUMN_COLOURS, join_descriptions, layout, legend_height
from pruning.figures.plain_figure import PlainFigure


def class_change(
    names: Sequence[str], classes: Sequence[str], changes: Sequence[np.ndarray]
) -> PlainFigure:
    """Draw a group of bars for each class, with a bar for each column.

    Parameters
    ----------
    names : sequence of str
        Names of the columns, at most as many as there are colours.
    classes : sequence of str
        Names of the classes.
    changes : sequence of np.ndarray
        For each column, (classes,): accuracy minus that of the dense network, in percentage
        points.

    Returns
    -------
    PlainFigure
        Bars below zero are losses.
    """
    bars = []
    for name, colour, change in zip(names, COLUMN_COLOURS[: len(names)], changes, strict=True):
        bar = {
            "type": "bar",
            "name": name,
            "x": list(classes),
            "y": np.round(change, 2),
            "marker": {"color": colour},
            "hovertemplate": "%{x}: %{y:+.2f} points",
        }
        bars.append(bar)
    legend = legend_height(names)
    figure_layout = layout(
        x={"title": "class", "type": "category", "showgrid": False},
        y={"title": "change of accuracy (points)", "zeroline": True},
        height=300 + legend,
        top=14 + legend,
    )
    return PlainFigure(bars, figure_layout)


def alt_of_class_change(names: Sequence[str], changes: Sequence[np.ndarray]) -> str:
    """Describe `class_change` in words.

    Parameters
    ----------
    names : sequence of str
        Names of the columns.
    changes : sequence of np.ndarray
        As of `class_change`.

    Returns
    -------
    str
        Change of every class, column by column.
    """
    descriptions = []
    for name, change in zip(names, changes, strict=True):
        values = ", ".join(f"{value:+.1f}" for value in change)
        descriptions.append(f"{name} {values}")
    description = join_descriptions(descriptions, "no columns")
    return f"Change of each class's accuracy in points: {description}."
