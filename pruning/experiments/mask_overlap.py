"""Overlap of the weights that pruned networks have lost."""

from collections.abc import Sequence

import numpy as np
import torch

from pruning.engine.pruned_network import PrunedNetwork
from pruning.methods.connectivity import ConnectedNetwork
from pruning.models import prunable


def mask_overlaps(pruned_networks: Sequence[PrunedNetwork]) -> np.ndarray:
    """Compute the Jaccard overlap of the weights that were removed from one network.

    Parameters
    ----------
    pruned_networks : sequence of PrunedNetwork
        Results of recipes, all of one network and dataset.

    Returns
    -------
    np.ndarray
        (n, n) float32: weights removed by both / by at least one; NaN where neither removes any.
    """
    rows = [removed_weights(pruned) for pruned in pruned_networks]
    removed = np.stack(rows).astype(np.float32)  # (n, weights)
    both = removed @ removed.T
    counts = removed.sum(1)
    either = counts[:, None] + counts - both
    return np.where(either > 0, both / np.maximum(either, 1), np.nan)


def removed_weights(pruned: PrunedNetwork) -> np.ndarray:
    """Return which prunable weights of the dense network are not effective any more.

    Parameters
    ----------
    pruned : PrunedNetwork
        The result of a recipe.

    Returns
    -------
    np.ndarray
        (weights,) bool, layer by layer.
    """
    connected = pruned.connected
    layers = prunable(pruned.trained_model).items()
    return np.concatenate([_removed(connected, name, layer.weight.shape) for name, layer in layers])


def _removed(connected: ConnectedNetwork, name: str, shape: torch.Size) -> np.ndarray:
    layer = connected.layers.get(name)
    if layer is None or layer.weight.shape != shape:  # removed or refitted: no dense weight is left
        return np.ones(shape.numel(), bool)
    return ~connected.mask(name).ravel()
