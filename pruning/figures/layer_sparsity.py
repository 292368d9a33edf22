"""Sparsity of each layer in the columns of a comparison."""

from collections.abc import Mapping, Sequence

import numpy as np

from pruning.figures.parts import (
    COLOUR_BAR_MARGIN,
    SHARE_SCALE,
    colour_bar,
    join_descriptions,
    label_margin,
    layer_axis,
    layout,
)
from pruning.figures.plain_figure import PlainFigure


def layer_sparsity(names: Sequence[str], sparsities: Sequence[Mapping[str, float]]) -> PlainFigure:
    """Draw a heatmap of the weights removed from each layer (rows) in each column.

    Parameters
    ----------
    names : sequence of str
        Names of the columns; the axis shows what stands before the first point, their number.
    sparsities : sequence of mapping of str to float
        For each column, removed / all weights by layer; negative for a refitted layer that has
        more weights than before.

    Returns
    -------
    PlainFigure
        On one colour scale.
    """
    layers = list(sparsities[0])
    rows = []
    for layer in layers:
        rows.append([column[layer] for column in sparsities])
    values = np.array(rows, np.float32)
    picture = {
        "type": "heatmap",
        "z": values,
        "x": [name.partition(".")[0] for name in names],
        "y": layers,
        "xgap": 2,
        "ygap": 1,
        **SHARE_SCALE,
        "customdata": [list(names)] * len(layers),
        "colorbar": colour_bar("sparsity of weights", tickformat=".0%"),
        "text": [_cell_texts(row) for row in values],
        "texttemplate": "%{text}",
        "hovertemplate": "%{y}, %{customdata}: %{z:.1%} of weights removed<extra></extra>",
    }
    figure_layout = layout(
        x={"title": "column", "type": "category", "showgrid": False},
        y=layer_axis(),
        height=max(320, 90 + 18 * len(layers)),
        left=label_margin(layers),
        right=COLOUR_BAR_MARGIN,
    )
    return PlainFigure([picture], figure_layout)


def _cell_texts(row: np.ndarray) -> list[str]:
    return [f"{value:.0%}" if value >= 0 else "refitted" for value in row]


def alt_of_layer_sparsity(names: Sequence[str], sparsities: Sequence[Mapping[str, float]]) -> str:
    """Describe `layer_sparsity` in words.

    Parameters
    ----------
    names : sequence of str
        Names of the columns.
    sparsities : sequence of mapping of str to float
        For each column, removed / all weights by layer.

    Returns
    -------
    str
        Sparsity of each layer, column by column.
    """
    descriptions = []
    for name, column in zip(names, sparsities, strict=True):
        layers = ", ".join(f"{layer} {value:.0%}" for layer, value in column.items())
        descriptions.append(f"{name} {layers}")
    return f"Sparsity of each layer: {join_descriptions(descriptions, 'no columns')}."
