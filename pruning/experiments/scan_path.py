"""A path from nothing pruned to everything pruned, layer by layer, that follows from a scan."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from pruning.engine.prune import trained_model, unit_groups
from pruning.experiments.sensitivity import SensitivityScan
from pruning.methods.units import UnitGroup
from pruning.recipe.recipe import Recipe

State = dict[str, float]
"""Sparsity by layer."""


def count_until_false(states: Sequence[State], holds: Callable[[State], bool]) -> int:
    """Count the states before the first one at which a condition fails, by bisection.

    Parameters
    ----------
    states : sequence of dict
        Ordered so that the condition holds for the first ones and fails for the others.
    holds : callable
        The condition.

    Returns
    -------
    int
        From 0 to the number of states.
    """
    low, high = 0, len(states)
    while low < high:
        middle = (low + high + 1) // 2
        if holds(states[middle - 1]):
            low = middle
        else:
            high = middle - 1
    return low


@dataclass(frozen=True)
class LayerStep:
    """A step of one layer to a higher level.

    Parameters
    ----------
    layer : str
        Name of the layer.
    level : int
        Index of the new level.
    weights : float
        Number of weights that the step removes.
    loss : float
        Accuracy that this layer alone loses by the step.
    """

    layer: str
    level: int
    weights: float
    loss: float

    def benefit(self, accuracy_per_image: float) -> float:
        """Return the weights removed per accuracy lost; one image is added to the loss.

        Parameters
        ----------
        accuracy_per_image : float
            1 / number of images; the denominator is never 0.

        Returns
        -------
        float
            Weights per accuracy.
        """
        return self.weights / (self.loss + accuracy_per_image)


def greedy_path(scan: SensitivityScan) -> list[State]:
    """Find a path of states from nothing pruned to everything pruned.

    Each state takes one layer to a higher level: of all such steps the one that removes most
    weights for the accuracy that the layer alone loses by it.

    Parameters
    ----------
    scan : SensitivityScan
        A complete scan.

    Returns
    -------
    list of dict
        Sparsity by layer, state by state, without the first one.

    Raises
    ------
    ValueError
        The scan is not complete.
    """
    if scan.dense is None or not scan.is_complete:
        raise ValueError("a plan needs a complete scan")
    accuracy_per_image = 1 / scan.dense.accuracy.images
    weights = _prunable_weights(scan.recipe)
    losses = _losses(scan)
    levels = [0.0, *scan.levels]
    current = dict.fromkeys(scan.layers, 0)
    states: list[State] = []
    while True:
        candidates = []
        for layer, at in current.items():
            for level in range(at + 1, len(levels)):
                removed = weights[layer] * (levels[level] - levels[at])
                loss = losses[layer][level] - losses[layer][at]
                candidates.append(LayerStep(layer, level, removed, loss))
        if not candidates:
            return states

        # Of equal benefits, the lowest level, then the last layer by name.
        candidates.sort(key=attrgetter("layer"), reverse=True)
        candidates.sort(key=attrgetter("level"))
        best = max(candidates, key=lambda step: step.benefit(accuracy_per_image))
        current[best.layer] = best.level
        states.append({layer: levels[level] for layer, level in current.items()})


def _losses(scan: SensitivityScan) -> dict[str, list[float]]:
    """Accuracy that each layer alone loses at each level, 0 first; never falling."""
    assert scan.dense is not None
    dense = scan.dense.accuracy.value
    losses = {}
    for layer, accuracies in zip(scan.layers, scan.accuracies.to_numpy(), strict=True):
        lost = np.maximum(0.0, dense - accuracies)
        losses[layer] = [0.0, *np.maximum.accumulate(lost).tolist()]
    return losses


def _prunable_weights(recipe: Recipe) -> dict[str, int]:
    """Number of weights of each group."""
    model = trained_model(recipe)

    def count(group: UnitGroup) -> int:
        weights = [model.get_parameter(f"{layer}.weight") for layer in group.layers]
        return sum(weight.numel() for weight in weights)

    return {name: count(group) for name, group in unit_groups(recipe).items()}
