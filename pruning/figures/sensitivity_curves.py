"""Accuracy when one layer alone is pruned, as a curve for each layer."""

from collections.abc import Sequence

import numpy as np
import plotly.colors

from pruning.engine.evaluation import Evaluation
from pruning.experiments.sensitivity import SensitivityScan
from pruning.figures.parts import (
    Trace,
    accuracy_axis,
    horizontal_line,
    join_descriptions,
    layout,
    share_axis,
)
from pruning.figures.plain_figure import PlainFigure
from pruning.methods.units import METHODS


def sensitivity_curves(scan: SensitivityScan) -> PlainFigure:
    """Draw a curve for each layer.

    Parameters
    ----------
    scan : SensitivityScan
        Evaluations may be None while it is running; their points are left out.

    Returns
    -------
    PlainFigure
        The colours run from the first layer (violet) to the classifier (green).
    """
    positions = np.linspace(0.1, 0.8, len(scan.layers))
    colours = plotly.colors.sample_colorscale("Viridis", list(positions))
    units = METHODS[scan.recipe.last_step.method].label.lower()
    traces: list[Trace] = []
    for layer, row, colour in zip(scan.layers, scan.evaluations, colours, strict=True):
        accuracies = _known_accuracies(scan.levels, row)
        trace = {
            "type": "scatter",
            "mode": "lines+markers",
            "name": layer,
            "line": {"color": colour, "width": 2},
            "marker": {"size": 5},
            "x": list(accuracies),
            "y": list(accuracies.values()),
            "hovertemplate": f"{layer}, %{{x:.0%}} of {units} removed: %{{y:.2%}}<extra></extra>",
        }
        traces.append(trace)
    dense_lines = []
    if scan.dense is not None:
        dense_lines.append(horizontal_line(scan.dense.accuracy.value))
    figure_layout = layout(
        x=share_axis(removed_units_title(scan)),
        y=accuracy_axis("validation accuracy"),
        height=max(320, 90 + 20 * len(traces)),
        right=40 + 7 * max(len(layer) for layer in scan.layers),
        shapes=dense_lines,
        showlegend=len(traces) > 1,
        legend={"orientation": "v", "x": 1.01, "y": 1, "font": {"size": 10}},
    )
    return PlainFigure(traces, figure_layout)


def removed_units_title(scan: SensitivityScan) -> str:
    """Return the title of the axis of sparsities, which says of what.

    Parameters
    ----------
    scan : SensitivityScan
        Any scan.

    Returns
    -------
    str
        Such as "filters removed from one layer".
    """
    units = METHODS[scan.recipe.last_step.method].label.lower()
    return f"{units} removed from one layer"


def _known_accuracies(
    levels: Sequence[float], row: Sequence[Evaluation | None]
) -> dict[float, float]:
    accuracies = {}
    for level, evaluation in zip(levels, row, strict=True):
        if evaluation is not None:
            accuracies[level] = evaluation.accuracy.value
    return accuracies


def describe_scan(scan: SensitivityScan) -> str:
    """Describe the known accuracies of a scan.

    Parameters
    ----------
    scan : SensitivityScan
        The scan so far.

    Returns
    -------
    str
        A sentence without its beginning.
    """
    descriptions = []
    for layer, row in zip(scan.layers, scan.evaluations, strict=True):
        accuracies = _known_accuracies(scan.levels, row)
        values = [f"{level:.0%} {accuracy:.1%}" for level, accuracy in accuracies.items()]
        if values:
            descriptions.append(f"{layer} {', '.join(values)}")
    description = join_descriptions(descriptions, "nothing computed yet")
    return f"validation accuracy when one layer alone is pruned: {description}."


def alt_of_sensitivity_curves(scan: SensitivityScan) -> str:
    """Describe `sensitivity_curves` in words.

    Parameters
    ----------
    scan : SensitivityScan
        The scan so far.

    Returns
    -------
    str
        Every accuracy that is known, layer by layer.
    """
    return f"Curves of the {describe_scan(scan)}"
