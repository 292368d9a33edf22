"""Reliability diagrams: the accuracy of predictions against their confidence."""

from collections.abc import Mapping

import numpy as np

from pruning.figures.parts import (
    KEPT,
    NEUTRAL,
    Trace,
    join_descriptions,
    layout,
    legend_height,
)
from pruning.figures.plain_figure import PlainFigure
from pruning.inference.predictions import Reliability

MIN_SIZE, MAX_SIZE = 5, 22
"""Diameters of points, in pixels: their areas are as the numbers of images."""


def reliability_diagram(reliabilities: Mapping[str, Reliability]) -> PlainFigure:
    """Draw accuracy against confidence.

    Parameters
    ----------
    reliabilities : mapping of str to Reliability
        By name of the network, the one before pruning first.

    Returns
    -------
    PlainFigure
        On the dotted diagonal, predictions are correct as often as they are confident; below it
        they are too confident.
    """
    colours = (NEUTRAL, KEPT)
    traces = []
    for (name, reliability), colour in zip(reliabilities.items(), colours, strict=False):
        traces.append(_trace(name, reliability, colour))
    diagonal = {"color": NEUTRAL, "dash": "dot"}
    share = {"range": [-0.02, 1.04], "tickformat": ".0%"}
    legend = legend_height(list(reliabilities))
    figure_layout = layout(
        x={"title": "confidence (probability of the predicted class)", **share},
        y={"title": "accuracy", **share},
        height=360 + legend,
        top=14 + legend,
        showlegend=True,
        shapes=[{"type": "line", "x0": 0, "x1": 1, "y0": 0, "y1": 1, "line": diagonal}],
    )
    return PlainFigure(traces, figure_layout)


def _trace(name: str, reliability: Reliability, colour: str) -> Trace:
    has_images = reliability.counts > 0
    counts = reliability.counts[has_images]
    sizes = np.sqrt(counts / counts.max()) * MAX_SIZE
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": reliability.confidence[has_images],
        "y": reliability.accuracy[has_images],
        "customdata": counts,
        "line": {"color": colour, "width": 2},
        "marker": {"color": colour, "size": np.maximum(sizes, MIN_SIZE), "opacity": 0.8},
        "hovertemplate": "confidence %{x:.1%}: %{y:.1%} of %{customdata:,} images correct",
    }


def alt_of_reliability(reliabilities: Mapping[str, Reliability]) -> str:
    """Describe `reliability_diagram` in words.

    Parameters
    ----------
    reliabilities : mapping of str to Reliability
        As of `reliability_diagram`.

    Returns
    -------
    str
        Expected calibration error of each network.
    """
    descriptions = []
    for name, reliability in reliabilities.items():
        descriptions.append(f"{name} {reliability.expected_error:.1%}")
    description = join_descriptions(descriptions, "no networks")
    return f"Accuracy against confidence. Expected calibration error: {description}."
