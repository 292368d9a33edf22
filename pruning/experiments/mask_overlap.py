"""Overlap of the weights that recipes remove."""

from collections.abc import Sequence

import numpy as np
import torch

from pruning.engine.prune import prune, trained_model
from pruning.methods.connectivity import ConnectedNetwork
from pruning.models import prunable
from pruning.recipe.recipe import Recipe


def mask_overlaps(recipes: Sequence[Recipe]) -> np.ndarray:
    """Compute the Jaccard overlap of the weights that recipes of one network remove.

    Parameters
    ----------
    recipes : sequence of Recipe
        All of one network and dataset.

    Returns
    -------
    np.ndarray
        (n, n) float32: weights removed by both / by at least one; NaN where neither removes any.
    """
    removed = np.stack([removed_weights(recipe) for recipe in recipes]).astype(np.float32)
    both = removed @ removed.T
    counts = removed.sum(1)
    either = counts[:, None] + counts - both
    return np.where(either > 0, both / np.maximum(either, 1), np.nan)


def removed_weights(recipe: Recipe) -> np.ndarray:
    """Return which prunable weights of the dense network are not effective any more.

    Parameters
    ----------
    recipe : Recipe
        The recipe.

    Returns
    -------
    np.ndarray
        (weights,) bool, layer by layer.
    """
    connected = prune(recipe).connected
    layers = prunable(trained_model(recipe)).items()
    return np.concatenate([_removed(connected, name, layer.weight.shape) for name, layer in layers])


def _removed(connected: ConnectedNetwork, name: str, shape: torch.Size) -> np.ndarray:
    layer = connected.layers.get(name)
    if layer is None or layer.weight.shape != shape:  # removed or refitted: no dense weight is left
        return np.ones(shape.numel(), bool)
    return ~connected.mask(name).ravel()
