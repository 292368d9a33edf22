"""A sparsity for each layer that keeps the accuracy on validation images.

A plan starts from the best of the baselines and of a path that follows from the scan, is refined
layer by layer, and is at least as accurate on the validation images as each baseline of its size.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

import pandas as pd

from pruning.cost.macs import Cost, dense_cost
from pruning.data.datasets import DATASETS
from pruning.engine.evaluate import EvaluationProgress, evaluate, validation_accuracy
from pruning.engine.prune import prune
from pruning.experiments.plan_baselines import BASELINES, baselines_for
from pruning.experiments.plan_search import (
    AccuracyCheck,
    KeptUnits,
    effective_parameters,
    match_size,
    most_pruned,
    refine,
)
from pruning.experiments.scan_path import State, count_until_false, greedy_path
from pruning.experiments.sensitivity import SensitivityScan, layerwise
from pruning.inference.accuracy import Accuracy
from pruning.recipe.recipe import Recipe
from pruning.runtime.progress import ShareReport, ignore_progress, part_of

MAX_LOSS = 100.0
MAX_START_CHECKS = 20
"""Limit on the validation accuracies that are measured for each start."""
SLACKS = (1.5, 1.0)
"""A refinement begins with so many times the units of the start; the second if it must be."""
STARTS_DONE, REFINEMENTS_DONE, BASELINES_DONE = 0.4, 0.8, 0.95
"""Approximate shares of the work that are done after its parts."""
TOLERANCE = 1e-12
PATH = "greedy path"
"""Name of the start that follows from the scan."""


@dataclass(frozen=True)
class PlannedRecipe:
    """A recipe with its cost and its accuracies.

    Parameters
    ----------
    name : str
        What it is.
    recipe : Recipe
        The recipe.
    sparsities : mapping of str to float
        Share of the units that its last step removes, by layer.
    effective : Cost
        What is connected to both the image and the logits.
    validation : float
        Accuracy on all validation images.
    test : Accuracy
        On all test images, for information only.
    """

    name: str
    recipe: Recipe
    sparsities: Mapping[str, float]
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
        The plan; its name says what it started from.
    baselines : tuple of PlannedRecipe
        The baselines that the method offers, at the number of effective parameters that is
        nearest to the plan's; none has a higher validation accuracy than the plan.
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


@dataclass(frozen=True)
class Candidate:
    """A recipe that keeps the accuracy.

    Parameters
    ----------
    origin : str
        What it started from: a name in ``BASELINES`` or ``PATH``.
    recipe : Recipe
        The recipe.
    is_refined : bool
        Whether layers were changed one by one.
    """

    origin: str
    recipe: Recipe
    is_refined: bool = False

    @property
    def size(self) -> int:
        """Effective parameters."""
        return effective_parameters(self.recipe)

    @property
    def validation(self) -> float:
        """Accuracy on all validation images."""
        return validation_accuracy(self.recipe)

    @property
    def name(self) -> str:
        """What it is, in a few words."""
        return (
            f"plan: {self.origin}, refined by layer" if self.is_refined else f"plan: {self.origin}"
        )


def plan_sparsities(
    scan: SensitivityScan, max_loss: float, report: ShareReport = ignore_progress
) -> SparsityPlan:
    """Find sparsities per layer that lose at most some points of validation accuracy.

    1. Of each baseline and of the greedy path on the scan (`greedy_path`) the most pruned recipe
       that keeps the accuracy is found by bisection. The smallest of them is the start.
    2. The start is given back some units of each layer and refined layer by layer (`refine`).
    3. The refinement becomes the plan if it is more accurate than each baseline of its size by a
       standard error: smaller differences may be luck of the validation images. Otherwise the
       plan is the start, or a baseline of its size if that has a higher accuracy.

    All accuracies are measured on the validation images, after the recoveries of the recipe.

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
    unpruned = _with_state(scan.recipe, dict.fromkeys(scan.layers, 0.0))
    dense_validation = validation_accuracy(unpruned, lambda share: report(0.0))
    required = dense_validation - max_loss / 100 - TOLERANCE
    start = _find_start(scan, required, part_of(report, 0.0, STARTS_DONE))
    refined = _refine(start, required, part_of(report, STARTS_DONE, REFINEMENTS_DONE))
    baselines = baselines_for(scan.recipe)
    report_choice = part_of(report, REFINEMENTS_DONE, BASELINES_DONE)
    chosen = _choose(start, refined, baselines, report_choice)

    report_test = part_of(report, BASELINES_DONE, 1.0)
    plan = _measured(chosen.name, chosen.recipe, lambda share: report_test(0.0))
    measured = []
    for number, matched in enumerate(_matched(baselines, chosen), start=1):

        def report_baseline(share: float, number: int = number) -> None:
            report_test(number / (len(baselines) + 1))

        label = BASELINES[matched.origin].label
        measured.append(_measured(label, matched.recipe, report_baseline))
    report(1.0)
    return SparsityPlan(max_loss, dense_validation, plan, tuple(measured))


def _find_start(scan: SensitivityScan, required: float, report: ShareReport) -> Candidate:
    """Find the smallest recipe that keeps the accuracy among the baselines and the path."""
    baselines = baselines_for(scan.recipe)
    unpruned = _with_state(scan.recipe, dict.fromkeys(scan.layers, 0.0))
    best = Candidate(PATH, unpruned)
    parts = len(baselines) + 1
    smaller_than = None
    for number, (name, recipe) in enumerate(baselines.items()):
        report_part = part_of(report, number / parts, (number + 1) / parts)
        check = AccuracyCheck(required, MAX_START_CHECKS, report_part)
        found = most_pruned(recipe, check, smaller_than)
        if found is not None:
            best = min(best, Candidate(name, found), key=attrgetter("size"))
            smaller_than = best.size

    states = greedy_path(scan)
    check = AccuracyCheck(required, MAX_START_CHECKS, part_of(report, 1 - 1 / parts, 1.0))
    count = count_until_false(states, lambda state: check.keeps(_with_state(scan.recipe, state)))
    if count:
        on_path = Candidate(PATH, _with_state(scan.recipe, states[count - 1]))
        best = min(best, on_path, key=attrgetter("size"))
    return best


def _refine(start: Candidate, required: float, report: ShareReport) -> Candidate | None:
    """Refine a start; None if that does not make it smaller."""
    kept = KeptUnits.of(start.recipe)
    for number, slack in enumerate(SLACKS):
        report_part = part_of(report, number / len(SLACKS), (number + 1) / len(SLACKS))
        recipe = refine(kept.grown(slack), required, report_part)
        refined = Candidate(start.origin, recipe, is_refined=True)
        if refined.size < start.size:
            return refined
    return None


def _choose(
    start: Candidate,
    refined: Candidate | None,
    baselines: Mapping[str, Recipe],
    report: ShareReport,
) -> Candidate:
    """Choose the plan, so that no baseline of its size has a higher validation accuracy."""
    if refined is not None:
        best = _most_accurate(_matched(baselines, refined), part_of(report, 0.0, 0.5))
        lead = refined.validation - best.validation
        if lead >= _standard_error(refined):
            return refined

    chosen, share = start, 0.5
    while True:  # the accuracy rises, so that it ends
        next_share = (1 + share) / 2
        best = _most_accurate(_matched(baselines, chosen), part_of(report, share, next_share))
        if best.validation <= chosen.validation:
            return chosen
        chosen, share = best, next_share


def _standard_error(candidate: Candidate) -> float:
    """Standard error of an accuracy on all validation images."""
    accuracy = candidate.validation
    images = DATASETS[candidate.recipe.dataset].validation_images
    return math.sqrt(accuracy * (1 - accuracy) / images)


def _matched(baselines: Mapping[str, Recipe], candidate: Candidate) -> list[Candidate]:
    """Give each baseline the size of a candidate, as nearly as possible."""
    matched = []
    for name, recipe in baselines.items():
        is_candidate = name == candidate.origin and not candidate.is_refined
        same_size = candidate.recipe if is_candidate else match_size(recipe, candidate.size)
        matched.append(Candidate(name, same_size))
    return matched


def _most_accurate(candidates: Sequence[Candidate], report: ShareReport) -> Candidate:
    for number, candidate in enumerate(candidates):
        begin, end = number / len(candidates), (number + 1) / len(candidates)
        validation_accuracy(candidate.recipe, part_of(report, begin, end))
    return max(candidates, key=attrgetter("validation"))


def _with_state(recipe: Recipe, state: State) -> Recipe:
    values = tuple(state.items())
    return layerwise(recipe).with_last_step(scope="custom", value=0.0, values=values)


def _measured(name: str, recipe: Recipe, report: ShareReport) -> PlannedRecipe:
    def report_progress(progress: EvaluationProgress) -> None:
        report(progress.share)

    validation = validation_accuracy(recipe, report)
    [evaluation] = evaluate([recipe.on_all_images], report=report_progress)
    return PlannedRecipe(
        name=name,
        recipe=recipe,
        sparsities=_sparsities(recipe),
        effective=evaluation.effective,
        validation=validation,
        test=evaluation.accuracy,
    )


def _sparsities(recipe: Recipe) -> dict[str, float]:
    pruned = prune(recipe)
    shares = {}
    for layer, selected in pruned.selection.items():
        shares[layer] = selected.count / max(1, len(pruned.ranking[layer]))
    return shares
