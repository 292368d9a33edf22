"""Points lost when one layer alone is pruned, as a table of layers and sparsities."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from pruning.engine.evaluation import Evaluation
from pruning.experiments.sensitivity import SensitivityScan
from pruning.figures.parts import (
    AMOUNTS,
    COLOUR_BAR_MARGIN,
    HIGHLIGHT,
    Trace,
    colour_bar,
    label_margin,
    layer_axis,
    layout,
)
from pruning.figures.plain_figure import PlainFigure
from pruning.figures.sensitivity_curves import describe_scan, removed_units_title
from pruning.methods.units import METHODS

LEAST_LOSS, MOST_LOSS = 0.05, 100.0
"""Ends of the colour scale, in percentage points; less than 0.05 points are drawn as 0.05."""
SHOWN_LOSSES = (0.1, 1, 10, 100)


def sensitivity_heatmap(
    scan: SensitivityScan, planned: Mapping[str, float] | None = None
) -> PlainFigure:
    """Draw a row for each layer and a column for each sparsity.

    Parameters
    ----------
    scan : SensitivityScan
        Evaluations may be None while it is running; their cells are empty.
    planned : mapping of str to float, optional
        Sparsities of layers; the nearest level is marked, and nothing where that is 0.

    Returns
    -------
    PlainFigure
        The points of validation accuracy that are lost are written into the cells, and coloured
        on a logarithmic scale, where 0.1, 1 and 10 points differ; yellow is much, as in every
        figure of what is removed.
    """
    losses = _points_lost(scan)
    units = METHODS[scan.recipe.last_step.method].label.lower()
    picture = {
        "type": "heatmap",
        "z": np.log10(np.maximum(losses, LEAST_LOSS)).astype(np.float32),
        "x": [_level_label(level) for level in scan.levels],
        "y": list(scan.layers),
        "colorscale": AMOUNTS,
        "zmin": math.log10(LEAST_LOSS),
        "zmax": math.log10(MOST_LOSS),
        "xgap": 1,
        "ygap": 1,
        "texttemplate": "%{text}",
        "textfont": {"size": 11},
        "text": [_cell_texts(row) for row in losses],
        "customdata": [_hover_texts(row) for row in scan.evaluations],
        "colorbar": colour_bar(
            "points lost (validation)",
            tickvals=[math.log10(loss) for loss in SHOWN_LOSSES],
            ticktext=[f"{loss:g}" for loss in SHOWN_LOSSES],
        ),
        "hovertemplate": f"%{{y}}, %{{x}} of {units} removed: %{{customdata}}<extra></extra>",
    }
    figure_layout = layout(
        x={"title": removed_units_title(scan), "type": "category", "showgrid": False},
        y=layer_axis(),
        height=max(320, 100 + 20 * len(scan.layers)),
        left=label_margin(scan.layers),
        right=COLOUR_BAR_MARGIN,
        bottom=62,
    )
    return PlainFigure([picture, _marks(scan, planned or {})], figure_layout)


def _points_lost(scan: SensitivityScan) -> np.ndarray:
    """Dense accuracy minus accuracy, in percentage points, NaN where it is not known."""
    accuracies = scan.accuracies.to_numpy(float)
    if scan.dense is None:
        return np.full_like(accuracies, np.nan)
    return 100 * (scan.dense.accuracy.value - accuracies)


def _level_label(level: float) -> str:
    return f"{level:.0%}"


def _cell_texts(row: np.ndarray) -> list[str]:
    return ["" if np.isnan(loss) else f"{round(float(loss), 1) + 0.0:.1f}" for loss in row]


def _hover_texts(row: Sequence[Evaluation | None]) -> list[str]:
    texts = []
    for evaluation in row:
        if evaluation is None:
            texts.append("not computed yet")
        else:
            accuracy, images = evaluation.accuracy.value, evaluation.tally.images
            texts.append(f"{accuracy:.2%} of {images:,} images")
    return texts


def _marks(scan: SensitivityScan, planned: Mapping[str, float]) -> Trace:
    marked = {}
    for layer, sparsity in planned.items():
        level = _nearest_level(scan, sparsity)
        if level:
            marked[layer] = level
    outline = {"width": 2.5}
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [_level_label(level) for level in marked.values()],
        "y": list(marked),
        "hoverinfo": "skip",
        "marker": {"symbol": "square-open", "size": 24, "color": HIGHLIGHT, "line": outline},
        "showlegend": False,
    }


def _nearest_level(scan: SensitivityScan, sparsity: float) -> float:
    return min((0.0, *scan.levels), key=lambda level: abs(level - sparsity))


def alt_of_sensitivity_heatmap(scan: SensitivityScan) -> str:
    """Describe `sensitivity_heatmap` in words.

    Parameters
    ----------
    scan : SensitivityScan
        The scan so far.

    Returns
    -------
    str
        Every accuracy that is known, layer by layer.
    """
    return f"Heatmap of the {describe_scan(scan)}"
