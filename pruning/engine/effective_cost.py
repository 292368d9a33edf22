"""What of a recipe's network still makes a difference: counts, and the weights themselves."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from cachetools import LRUCache, cached

from pruning.cost.macs import cost, measure_cost
from pruning.data.datasets import DATASETS
from pruning.engine import prune as experiment
from pruning.methods.connectivity import ConnectedNetwork, connected_network
from pruning.models import prunable
from pruning.recipe.recipe import Recipe


@dataclass(frozen=True)
class Left:
    """What still makes a difference, as counts; weights that read a channel which says nothing do not."""

    parameters: int
    macs: int


@cached(
    LRUCache(
        maxsize=32_000_000,
        getsizeof=lambda found: sum(
            c.nonzero.nbytes + c.weight.nbytes for c in found.layers.values()
        ),
    ),
    key=lambda recipe: replace(recipe.key, images=None),
    lock=threading.Lock(),
)
def connected(recipe: Recipe) -> ConnectedNetwork:
    """What makes a difference in the masked network of a recipe."""
    data, state = DATASETS[recipe.dataset], experiment.pruned(recipe)
    return connected_network(state.model, state.masks.apply(state.model), data.channels, data.size)


@cached(
    LRUCache(maxsize=4096),
    key=lambda recipe: replace(recipe.key, images=None),
    lock=threading.Lock(),
)
def left(recipe: Recipe) -> Left:
    """Parameters and MACs that still make a difference: what removal leaves, where it can take them out."""
    state, found = experiment.pruned(recipe), connected(recipe)
    layers = (
        measure_cost(state.model, recipe.dataset)
        if state.gone
        else cost(recipe.network, recipe.dataset)
    ).layers
    return Left(
        found.parameters,
        sum(layer.macs * found.weights(layer.name) // layer.weights for layer in layers),
    )


def overlaps(recipes: Sequence[Recipe]) -> np.ndarray:
    """Jaccard overlap of the weights that recipes of one network remove, (n, n); NaN where both remove none."""
    gone = np.stack([removed_weights(recipe) for recipe in recipes]).astype(
        np.float32
    )  # (n, weights)
    both = gone @ gone.T
    either = gone.sum(1)[:, None] + gone.sum(1) - both
    return np.where(either > 0, both / np.maximum(either, 1), np.nan)


def removed_weights(recipe: Recipe) -> np.ndarray:
    """Which prunable weights of the dense network make no difference any more, (weights,) bool."""
    found = connected(recipe)
    return np.concatenate(
        [
            _gone(found, name, layer.weight.shape)
            for name, layer in prunable(experiment.model(recipe)).items()
        ]
    )


def _gone(found: ConnectedNetwork, name: str, shape: torch.Size) -> np.ndarray:
    if (
        name not in found.layers or found.layers[name].weight.shape != shape
    ):  # taken out, or refitted: no old weight is left
        return np.ones(shape.numel(), bool)
    return ~found.mask(name).ravel()
