"""Bars with names: one number, or several, for each of some things."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np

from pruning.figures.parts import (
    COLUMN_COLOURS,
    Trace,
    join_descriptions,
    layout,
    legend_height,
)
from pruning.figures.plain_figure import PlainFigure

LABEL_WIDTH = 14
"""Characters in a line of a name."""
LINE_HEIGHT = 16


def named_bars(
    names: Sequence[str],
    series: Mapping[str, Sequence[float]],
    *,
    title: str,
    is_share: bool = False,
    axis_title: str = "",
) -> PlainFigure:
    """Draw a group of bars for each name.

    Parameters
    ----------
    names : sequence of str
        Below the groups.
    series : mapping of str to sequence of float
        A bar in each group, by its name in the legend.
    title : str
        What the numbers are.
    is_share : bool
        Whether they are shares, which are written as percentages on an axis from 0 to 1.
    axis_title : str
        What the names are.

    Returns
    -------
    PlainFigure
        With a legend if there are several series.
    """
    number = ".1%" if is_share else ".3g"
    labels = ["<br>".join(textwrap.wrap(name, LABEL_WIDTH)) for name in names]
    lines = 1 + max((label.count("<br>") for label in labels), default=0)
    bars = []
    for (name, values), colour in zip(series.items(), COLUMN_COLOURS, strict=False):
        bar = {
            "type": "bar",
            "name": name,
            "x": labels,
            "y": np.array(values, np.float32),
            "marker": {"color": colour},
            "text": [f"{value:{number}}" for value in values] if len(names) <= 12 else None,
            "textposition": "outside",
            "cliponaxis": False,
            "hovertemplate": f"%{{x}}: %{{y:{number}}}",
        }
        bars.append(bar)
    has_legend = len(series) > 1
    legend = legend_height(list(series)) if has_legend else 0
    y_axis: Trace = {"title": title}
    if is_share:
        y_axis |= {"range": [0, 1.12], "tickformat": ".0%"}
    figure_layout = layout(
        x={"title": axis_title, "type": "category", "showgrid": False, "tickangle": 0},
        y=y_axis,
        height=280 + legend + LINE_HEIGHT * lines,
        top=24 + legend,
        bottom=36 + LINE_HEIGHT * lines,
        showlegend=has_legend,
    )
    return PlainFigure(bars, figure_layout)


def alt_of_named_bars(
    names: Sequence[str], series: Mapping[str, Sequence[float]], title: str
) -> str:
    """Describe `named_bars` in words.

    Parameters
    ----------
    names : sequence of str
        As of `named_bars`.
    series : mapping of str to sequence of float
        As of `named_bars`.
    title : str
        What the numbers are.

    Returns
    -------
    str
        Every number.
    """
    descriptions = []
    for name, values in series.items():
        numbers = [f"{each} {value:.3g}" for each, value in zip(names, values, strict=True)]
        descriptions.append(f"{name}: {', '.join(numbers)}" if name else ", ".join(numbers))
    return f"Bars of the {title}: {join_descriptions(descriptions, 'none')}."
