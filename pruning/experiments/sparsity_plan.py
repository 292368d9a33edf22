"""A sparsity for each layer that follows from a sensitivity scan; chosen on validation images."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
import pandas as pd

from pruning.cost.macs import Cost, dense_cost
from pruning.engine.evaluate import EvaluationProgress, evaluate, validation_accuracy
from pruning.engine.prune import trained_model, unit_groups
from pruning.experiments.budgets import Budget, match_budget, remaining_share
from pruning.experiments.sensitivity import SensitivityScan, layerwise
from pruning.inference.accuracy import Accuracy
from pruning.methods.units import UnitGroup
from pruning.recipe.recipe import Recipe
from pruning.runtime.progress import ShareReport, ignore_progress

BASELINES = {
    "uniform: same sparsity in each layer": "layer",
    "global: all layers compete": "global",
}
"""Recipes of the same size beside the plan: name and scope."""
MAX_LOSS = 100.0

State = dict[str, float]
"""Sparsity by layer."""


@dataclass(frozen=True)
class PlannedRecipe:
    """A recipe with its cost and its accuracies.

    Parameters
    ----------
    name : str
        What it is.
    recipe : Recipe
        The recipe.
    effective : Cost
        What is connected to both the image and the logits.
    validation : float
        Accuracy on all validation images.
    test : Accuracy
        On all test images, for information only.
    """

    name: str
    recipe: Recipe
    effective: Cost
    validation: float
    test: Accuracy


@dataclass(frozen=True)
class SparsityPlan:
    """Sparsities per layer that keep the accuracy on validation images.

    Parameters
    ----------
    max_loss : float
        Points of validation accuracy that may be lost.
    dense_validation : float
        Validation accuracy without the last step.
    plan : PlannedRecipe
        The plan.
    baselines : tuple of PlannedRecipe
        Uniform and global pruning to the same number of effective parameters.
    """

    max_loss: float
    dense_validation: float
    plan: PlannedRecipe
    baselines: tuple[PlannedRecipe, ...]

    def table(self) -> pd.DataFrame:
        """Return a row for the plan and for each baseline.

        Returns
        -------
        pd.DataFrame
            Effective cost, compression and accuracies.
        """
        dense = dense_cost(self.plan.recipe.network, self.plan.recipe.dataset)
        rows = []
        for planned in (self.plan, *self.baselines):
            row = {
                "plan": planned.name,
                "effective_parameters": planned.effective.parameters,
                "compression": dense.parameters / max(1, planned.effective.parameters),
                "effective_macs": planned.effective.macs,
                "validation_accuracy": planned.validation,
                "test_accuracy": planned.test.value,
            }
            rows.append(row)
        return pd.DataFrame(rows)


def plan_sparsities(
    scan: SensitivityScan, max_loss: float, report: ShareReport = ignore_progress
) -> SparsityPlan:
    """Find sparsities per layer that lose at most some points of validation accuracy.

    A greedy search on the scan gives a path from nothing to everything (`greedy_path`). The losses
    of single layers do not add up exactly, so the last state of the path that keeps the accuracy
    is found by bisection on the measured validation accuracy of the whole network.

    Parameters
    ----------
    scan : SensitivityScan
        A complete scan.
    max_loss : float
        Points of validation accuracy that may be lost, from 0 to 100.
    report : callable
        Called with the share of the work that is done.

    Returns
    -------
    SparsityPlan
        The plan and its baselines.

    Raises
    ------
    ValueError
        ``max_loss`` is out of range.
    """
    if not 0 <= max_loss <= MAX_LOSS:
        raise ValueError(f"points to lose must be from 0 to {MAX_LOSS:g}, not {max_loss}")
    dense_recipe = _with_state(scan.recipe, dict.fromkeys(scan.layers, 0.0))
    dense_validation = validation_accuracy(dense_recipe, lambda share: report(0.0))
    states = greedy_path(scan)
    required = dense_validation - max_loss / 100 - 1e-12
    tries = max(1, math.ceil(math.log2(len(states) + 1)))
    parts = tries + len(BASELINES) + 1
    tried = 0

    def keeps_accuracy(state: State) -> bool:
        nonlocal tried
        recipe, started = _with_state(scan.recipe, state), tried
        tried += 1
        accuracy = validation_accuracy(recipe, lambda share: report((started + share) / parts))
        return accuracy >= required

    count = count_until_false(states, keeps_accuracy)
    best = _with_state(scan.recipe, states[count - 1]) if count else dense_recipe
    budget = Budget("parameters", remaining_share(best, "parameters"))
    baselines = []
    for index, (name, scope) in enumerate(BASELINES.items()):

        def report_baseline(share: float, index: int = index) -> None:
            report((tries + index) / parts)

        baseline = layerwise(scan.recipe).with_last_step(scope=scope)
        matched = match_budget(baseline, budget, report_baseline)
        baselines.append(_measured(name, matched.recipe, report_baseline))
    plan = _measured("plan", best, lambda share: report((parts - 1) / parts))
    report(1.0)
    return SparsityPlan(max_loss, dense_validation, plan, tuple(baselines))


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


def _with_state(recipe: Recipe, state: State) -> Recipe:
    values = tuple(state.items())
    return layerwise(recipe).with_last_step(scope="custom", value=0.0, values=values)


def _measured(name: str, recipe: Recipe, report: ShareReport) -> PlannedRecipe:
    def report_progress(progress: EvaluationProgress) -> None:
        report(progress.share)

    validation = validation_accuracy(recipe, report)
    [evaluation] = evaluate([recipe.on_all_images], report=report_progress)
    return PlannedRecipe(name, recipe, evaluation.effective, validation, evaluation.accuracy)
