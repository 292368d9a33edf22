"""A small matrix of weights with its numbers, removed ones in orange."""

import numpy as np

from pruning.figures.parts import DIFFERENCES, REMOVED, layout
from pruning.figures.plain_figure import PlainFigure


def weight_matrix(weights: np.ndarray, removed: np.ndarray) -> PlainFigure:
    """Draw a matrix.

    Parameters
    ----------
    weights : np.ndarray
        (outputs, inputs) float32.
    removed : np.ndarray
        Mask of the same shape, bool.

    Returns
    -------
    PlainFigure
        A cell for each weight.
    """
    outputs, inputs = weights.shape
    largest = float(np.abs(weights).max()) or 1.0
    texts = []
    for row in weights.tolist():
        texts.append([f"{value:.2f}" for value in row])
    cells = {
        "type": "heatmap",
        "text": texts,
        "texttemplate": "%{text}",
        "textfont": {"size": 14, "color": "black"},
        "xgap": 3,
        "ygap": 3,
        "showscale": False,
        "hoverongaps": False,
    }
    kept = {
        **cells,
        "z": np.where(removed, np.nan, weights).astype(np.float32),
        "colorscale": DIFFERENCES,
        "zmin": -3 * largest,  # pale, so that the numbers can be read
        "zmax": 3 * largest,
        "hovertemplate": "output %{y}, input %{x}: %{text}, kept<extra></extra>",
    }
    gone = {
        **cells,
        "z": np.where(removed, 1.0, np.nan).astype(np.float32),
        "colorscale": [[0, REMOVED], [1, REMOVED]],
        "hovertemplate": "output %{y}, input %{x}: %{text}, removed<extra></extra>",
    }
    axis = {"showgrid": False, "dtick": 1}
    figure_layout = layout(
        x={**axis, "title": "input", "range": [-0.5, inputs - 0.5]},
        y={**axis, "title": "output", "range": [outputs - 0.5, -0.5]},
        height=70 + 48 * outputs,
        top=10,
    )
    return PlainFigure([kept, gone], figure_layout)


def alt_of_weight_matrix(removed: np.ndarray) -> str:
    """Describe `weight_matrix` in words.

    Parameters
    ----------
    removed : np.ndarray
        Mask, bool.

    Returns
    -------
    str
        How many weights of each output are removed.
    """
    counts = ", ".join(str(int(count)) for count in removed.sum(1))
    return f"Matrix of {removed.size} weights, {int(removed.sum())} removed; by output: {counts}."
