"""A square table, such as the agreement of criteria."""

import numpy as np
import pandas as pd

from pruning.figures.parts import (
    AMOUNTS,
    COLOUR_BAR_MARGIN,
    DIFFERENCES,
    colour_bar,
    join_descriptions,
    layout,
)
from pruning.figures.plain_figure import PlainFigure

MAX_WRITTEN = 12
"""Numbers are written into the cells of tables of up to so many rows."""

EMPTY = "\N{EN DASH}"
"""Text of a cell without a value."""


def matrix(
    table: pd.DataFrame, *, title: str, low: float, axis_title: str = "criterion"
) -> PlainFigure:
    """Draw a square table.

    Parameters
    ----------
    table : pd.DataFrame
        Square, with the same names on both sides, values from ``low`` to 1; NaN is left empty.
    title : str
        What the values are.
    low : float
        Lowest possible value, 0 or -1.
    axis_title : str
        What the names are.

    Returns
    -------
    PlainFigure
        A heatmap; with a diverging colour scale where values can be negative.
    """
    names = [str(name) for name in table.columns]
    values = table.to_numpy(np.float32)
    picture = {
        "type": "heatmap",
        "z": values,
        "x": names,
        "y": names,
        "colorscale": AMOUNTS if low == 0 else DIFFERENCES,
        "zmin": low,
        "zmax": 1,
        "text": [_cell_texts(row) for row in values],
        "texttemplate": "%{text}" if len(names) <= MAX_WRITTEN else "",
        "xgap": 1,
        "ygap": 1,
        "colorbar": colour_bar(title),
        "hovertemplate": "%{y} and %{x}: %{text}<extra></extra>",
    }
    label_size = 20 + 7 * max(len(name) for name in names)
    axis = {"title": axis_title, "type": "category", "showgrid": False}
    figure_layout = layout(
        x={**axis, "tickangle": -40},
        y={**axis, "autorange": "reversed"},
        height=150 + label_size + 30 * len(names),
        left=30 + label_size,
        right=COLOUR_BAR_MARGIN,
        bottom=30 + label_size,
    )
    return PlainFigure([picture], figure_layout)


def _cell_texts(row: np.ndarray) -> list[str]:
    return [EMPTY if np.isnan(value) else f"{round(float(value), 2) + 0.0:.2f}" for value in row]


def alt_of_matrix(table: pd.DataFrame, quantity: str) -> str:
    """Describe `matrix` in words.

    Parameters
    ----------
    table : pd.DataFrame
        As of `matrix`.
    quantity : str
        What the values are.

    Returns
    -------
    str
        The values above the diagonal.
    """
    names = [str(name) for name in table.columns]
    values = table.to_numpy(float)
    descriptions = []
    for row, first in enumerate(names):
        for column in range(row + 1, len(names)):
            descriptions.append(f"{first} and {names[column]} {values[row, column]:.2f}")
    description = join_descriptions(descriptions, "nothing to compare")
    return f"Matrix of the {quantity}: {description}."
