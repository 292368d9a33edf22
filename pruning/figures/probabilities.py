"""Probabilities of the classes for one image, in two networks."""

from collections.abc import Mapping, Sequence

import numpy as np

from pruning.figures.parts import KEPT, NEUTRAL, join_descriptions, layout, legend_height
from pruning.figures.plain_figure import PlainFigure


def probability_bars(
    probabilities: Mapping[str, np.ndarray], classes: Sequence[str]
) -> PlainFigure:
    """Draw a group of bars for each class.

    Parameters
    ----------
    probabilities : mapping of str to np.ndarray
        (classes,) by name of the network, the one before pruning first.
    classes : sequence of str
        Names of the classes.

    Returns
    -------
    PlainFigure
        Probabilities from 0 to 1.
    """
    bars = []
    for (name, values), colour in zip(probabilities.items(), (NEUTRAL, KEPT), strict=False):
        bar = {
            "type": "bar",
            "name": name,
            "x": list(classes),
            "y": values.astype(np.float32),
            "marker": {"color": colour},
            "hovertemplate": "%{x}: %{y:.1%}",
        }
        bars.append(bar)
    legend = legend_height(list(probabilities))
    figure_layout = layout(
        x={"title": "class", "type": "category", "showgrid": False, "dtick": 1},
        y={"title": "probability", "range": [0, 1.03], "tickformat": ".0%"},
        height=280 + legend,
        top=14 + legend,
        bottom=80 if max(len(name) for name in classes) > 1 else 50,
        showlegend=True,
    )
    return PlainFigure(bars, figure_layout)


def alt_of_probabilities(probabilities: Mapping[str, np.ndarray], classes: Sequence[str]) -> str:
    """Describe `probability_bars` in words.

    Parameters
    ----------
    probabilities : mapping of str to np.ndarray
        As of `probability_bars`.
    classes : sequence of str
        Names of the classes.

    Returns
    -------
    str
        The most probable class of each network.
    """
    descriptions = []
    for name, values in probabilities.items():
        best = int(values.argmax())
        descriptions.append(f"{name} {classes[best]} ({values[best]:.0%})")
    description = join_descriptions(descriptions, "no networks")
    return f"Most probable class: {description}."
