"""The filters of a convolution as images, removed ones faint."""

import numpy as np

from pruning.figures.parts import join_descriptions
from pruning.figures.plain_figure import PlainFigure
from pruning.figures.tiles import symmetric_scale, tiles

MAX_FILTERS = 64
MAX_INPUTS = 16
"""Kernels are drawn for the first filters and the first inputs."""


def layer_filters(weights: np.ndarray, kept: np.ndarray, layer: str) -> PlainFigure:
    """Draw the weights of each filter.

    Parameters
    ----------
    weights : np.ndarray
        (filters, inputs, height, width) float32: of the dense network.
    kept : np.ndarray
        Mask of the same shape, bool.
    layer : str
        Name of the layer.

    Returns
    -------
    PlainFigure
        With one input channel, a tile for each filter; else a row for each filter with a tile for
        each input channel. A kernel without a weight left is faint and framed in orange.
    """
    weights, kept = weights[:MAX_FILTERS, :MAX_INPUTS], kept[:MAX_FILTERS, :MAX_INPUTS]
    filters, inputs, height, width = weights.shape
    kernels = weights.reshape(-1, height, width)
    masks = kept.reshape(-1, height, width)
    texts = []
    for index, mask in enumerate(masks):
        unit, channel = divmod(index, inputs)
        removed = int((~mask).sum())
        texts.append(
            f"{layer}, filter {unit}, input {channel}: {removed} of {mask.size} weights removed"
        )
    shown = np.where(masks, kernels, 0)
    is_removed = np.logical_not(masks.any(axis=(1, 2)))
    shown[is_removed] = kernels[is_removed]  # what was there, faint
    return tiles(
        shown,
        texts=texts,
        scale=symmetric_scale(kernels, "weight"),
        customdata=[[layer, index // inputs] for index in range(len(kernels))],
        removed=is_removed,
        columns=None if inputs == 1 else inputs,
        height=360 if inputs == 1 else max(360, min(900, 30 * filters)),
    )


def alt_of_layer_filters(kept: np.ndarray, layer: str) -> str:
    """Describe `layer_filters` in words.

    Parameters
    ----------
    kept : np.ndarray
        Mask of the layer, bool, its filters first.
    layer : str
        Name of the layer.

    Returns
    -------
    str
        Which filters have no weight left.
    """
    removed = np.flatnonzero(~kept.reshape(len(kept), -1).any(1))
    names = join_descriptions([str(unit) for unit in removed], "none")
    return f"The {len(kept)} filters of {layer} as images. Without any weight left: {names}."
