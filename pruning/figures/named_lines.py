"""Lines with names over one axis."""

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


def named_lines(
    x: Sequence[float],
    series: Mapping[str, Sequence[float]],
    *,
    x_title: str,
    y_title: str,
    is_share: bool = False,
    log_x: bool = False,
    stepped: bool = False,
) -> PlainFigure:
    """Draw a line for each series.

    Parameters
    ----------
    x : sequence of float
        Positions of all points.
    series : mapping of str to sequence of float
        Values by the name of the line.
    x_title, y_title : str
        Titles of the axes.
    is_share : bool
        Whether the values are shares from 0 to 1.
    log_x : bool
        Whether the positions are on a log scale.
    stepped : bool
        Whether a value holds until the next position.

    Returns
    -------
    PlainFigure
        With a legend.
    """
    traces = []
    for (name, values), colour in zip(series.items(), COLUMN_COLOURS, strict=False):
        trace = {
            "type": "scatter",
            "mode": "lines" if stepped else "lines+markers",
            "name": name,
            "x": np.array(x, np.float32),
            "y": np.array(values, np.float32),
            "line": {"color": colour, "width": 2, "shape": "hv" if stepped else "linear"},
            "marker": {"size": 6},
            "hovertemplate": f"%{{x:.3g}}: %{{y:{'.1%' if is_share else '.3g'}}}",
        }
        traces.append(trace)
    y_axis: Trace = {"title": y_title}
    if is_share:
        y_axis |= {"range": [-0.02, 1.05], "tickformat": ".0%"}
    legend = legend_height(list(series))
    figure_layout = layout(
        x={"title": x_title, "type": "log" if log_x else "linear"},
        y=y_axis,
        height=300 + legend,
        top=14 + legend,
        showlegend=True,
    )
    return PlainFigure(traces, figure_layout)


def alt_of_named_lines(
    x: Sequence[float], series: Mapping[str, Sequence[float]], x_title: str, y_title: str
) -> str:
    """Describe `named_lines` in words.

    Parameters
    ----------
    x : sequence of float
        As of `named_lines`.
    series : mapping of str to sequence of float
        As of `named_lines`.
    x_title, y_title : str
        Titles of the axes.

    Returns
    -------
    str
        First and last value of each line.
    """
    descriptions = []
    for name, values in series.items():
        descriptions.append(
            f"{name} from {values[0]:.3g} at {x[0]:.3g} to {values[-1]:.3g} at {x[-1]:.3g}"
        )
    return f"{y_title} against {x_title}: {join_descriptions(descriptions, 'no lines')}."
