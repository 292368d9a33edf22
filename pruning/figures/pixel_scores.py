"""Scores of the input pixels."""

import numpy as np

from pruning.figures.parts import (
    AMOUNTS,
    COLOUR_BAR_MARGIN,
    click_points,
    colour_bar,
    layout,
    pixel_axes,
)
from pruning.figures.plain_figure import PlainFigure


def pixel_scores(scores: np.ndarray) -> PlainFigure:
    """Draw the score of each pixel, of several channels the mean.

    Parameters
    ----------
    scores : np.ndarray
        (channels or 1, H, W); NaN where a previous step removed the pixel.

    Returns
    -------
    PlainFigure
        The ``customdata`` of a pixel is ["input", its index].
    """
    values = scores.mean(0).astype(np.float32)
    height, width = values.shape
    rows, columns = np.indices(values.shape)
    texts = []
    for row, column, value in zip(rows.ravel(), columns.ravel(), values.ravel(), strict=True):
        texts.append(f"row {row}, column {column}: {value:.4g}")
    picture = {
        "type": "heatmap",
        "z": values,
        "colorscale": AMOUNTS,
        "hoverinfo": "skip",
        "colorbar": colour_bar("score"),
    }
    clicks = click_points(
        columns.ravel().astype(np.uint8),
        rows.ravel().astype(np.uint8),
        [["input", index] for index in range(values.size)],
        texts,
        size=8,
    )
    x_axis, y_axis = pixel_axes(height, width)
    figure_layout = layout(
        x=x_axis, y=y_axis, height=300, right=COLOUR_BAR_MARGIN, hovermode="closest"
    )
    return PlainFigure([picture, clicks], figure_layout)


def alt_of_pixel_scores(scores: np.ndarray, criterion: str) -> str:
    """Describe `pixel_scores` in words.

    Parameters
    ----------
    scores : np.ndarray
        As of `pixel_scores`; at least one is a number.
    criterion : str
        Label of the criterion.

    Returns
    -------
    str
        Range of the scores.
    """
    low, high = np.nanmin(scores), np.nanmax(scores)
    return f"Scores of the input pixels by {criterion}, from {low:.3g} to {high:.3g}."
