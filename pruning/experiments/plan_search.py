"""Search for the most pruned recipe that keeps an accuracy on the validation images."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pruning.engine.evaluate import EvaluationProgress, evaluate, validation_accuracy
from pruning.engine.prune import prune, rank_units
from pruning.experiments.budgets import Budget, match_budget
from pruning.experiments.strength import with_sparsity
from pruning.recipe.recipe import Recipe
from pruning.runtime.progress import ShareReport, ignore_progress, part_of

SEARCH_RATIO = 1.02
"""A search ends when recipes that keep and lose the accuracy differ by at most this factor."""
FIRST_STEP, LAST_STEP = 0.06, 0.01
"""Shares of the effective parameters that a step of a refinement removes, at first and at last."""
MAX_PROPOSALS = 120
"""A refinement ends after about so many measured proposals."""
STEP_PER_LAYER = 0.006
"""The first step is larger in networks with many layers, whose iterations take longer."""
COUNT_TOLERANCE = 0.05
"""Units of a layer are counted up to this share of them."""


@dataclass
class AccuracyCheck:
    """Checks of the validation accuracy, of a limited number.

    Parameters
    ----------
    required : float
        Accuracy that must be kept.
    max_checks : int
        After so many checks, nothing is measured and no recipe is accepted.
    report : callable
        Called with the share of the checks that are done.
    checks : int
        Checks so far.
    """

    required: float
    max_checks: int
    report: ShareReport = ignore_progress
    checks: int = 0

    def keeps(self, recipe: Recipe) -> bool:
        """Measure whether a recipe keeps the accuracy.

        Parameters
        ----------
        recipe : Recipe
            Any recipe.

        Returns
        -------
        bool
            False also if no check is left.
        """
        if self.is_exhausted:
            return False
        done = self.checks
        self.checks += 1

        def report_share(share: float) -> None:
            self.report((done + share) / self.max_checks)

        return validation_accuracy(recipe, report_share) >= self.required

    @property
    def is_exhausted(self) -> bool:
        """Whether no check is left."""
        return self.checks >= self.max_checks


def effective_parameters(recipe: Recipe) -> int:
    """Count the parameters that are connected to both the image and the logits.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.

    Returns
    -------
    int
        Number of parameters.
    """
    return prune(recipe).effective.parameters


def match_size(recipe: Recipe, parameters: int) -> Recipe:
    """Adapt the strength of the last step to a number of effective parameters.

    Parameters
    ----------
    recipe : Recipe
        With one value for all layers.
    parameters : int
        Number of effective parameters.

    Returns
    -------
    Recipe
        The nearest one.
    """
    share = parameters / prune(recipe).dense.parameters
    return match_budget(recipe, Budget("parameters", share)).recipe


def most_pruned(recipe: Recipe, check: AccuracyCheck, smaller_than: int | None) -> Recipe | None:
    """Find the highest sparsity that keeps the accuracy, by bisection.

    The bisection is on a logarithmic scale of the remaining units, so that it is as fine at high
    sparsities as at low ones.

    Parameters
    ----------
    recipe : Recipe
        With one sparsity for all layers.
    check : AccuracyCheck
        What must be kept.
    smaller_than : int or None
        Effective parameters of the best recipe so far. The search ends at once if the accuracy is
        not kept at that size.

    Returns
    -------
    Recipe or None
        None if it cannot be smaller than that.
    """
    units = rank_units(recipe).units
    enough, too_few = units, 0
    best = None
    if smaller_than is not None:
        best = match_size(recipe, smaller_than)
        if not check.keeps(best):
            return None
        enough = round((1 - float(best.last_step.value)) * units)
    while enough > SEARCH_RATIO * max(1, too_few) and not check.is_exhausted:
        middle = math.isqrt(enough * max(1, too_few))
        middle = max(middle, too_few + 1)
        candidate = with_sparsity(recipe, 1 - middle / units)
        if check.keeps(candidate):
            enough, best = middle, candidate
        else:
            too_few = middle
    return best


@dataclass(frozen=True)
class KeptUnits:
    """Numbers of units that the last step keeps in each layer.

    Parameters
    ----------
    recipe : Recipe
        Its last step has the scope ``custom``.
    units, least : mapping of str to int
        Units of each layer that take part, and how many of them always remain.
    kept : mapping of str to int
        Units that are kept.
    """

    recipe: Recipe
    units: Mapping[str, int]
    least: Mapping[str, int]
    kept: Mapping[str, int]

    @classmethod
    def of(cls, recipe: Recipe) -> "KeptUnits":
        """Express a recipe by numbers of units.

        Parameters
        ----------
        recipe : Recipe
            With any scope and the rule ``sparsity``.

        Returns
        -------
        KeptUnits
            Its recipe removes the same units.
        """
        pruned = prune(recipe)
        units, least, kept = {}, {}, {}
        for layer, ranked in pruned.ranking.items():
            units[layer] = len(ranked)
            least[layer] = len(ranked) - ranked.removable
            kept[layer] = len(ranked) - pruned.selection[layer].count
        return cls(recipe, units, least, kept).with_kept(kept)

    def with_kept(self, kept: Mapping[str, int]) -> "KeptUnits":
        """Keep other numbers of units.

        Parameters
        ----------
        kept : mapping of str to int
            By layer.

        Returns
        -------
        KeptUnits
            With the recipe that keeps them.
        """
        values = []
        for layer, units in self.units.items():
            digits = len(str(units))  # as many as are needed to tell one unit
            values.append((layer, round(1 - kept[layer] / units, digits)))
        recipe = self.recipe.with_last_step(scope="custom", value=0.0, values=tuple(values))
        return replace(self, recipe=recipe, kept=kept)

    def grown(self, factor: float) -> "KeptUnits":
        """Keep more units of each layer.

        Parameters
        ----------
        factor : float
            At least 1.

        Returns
        -------
        KeptUnits
            With at most all units.
        """
        kept = {}
        for layer, units in self.units.items():
            kept[layer] = min(units, math.ceil(factor * self.kept[layer]))
        return self.with_kept(kept)

    def without(self, layer: str, count: int) -> "KeptUnits":
        """Keep fewer units of one layer.

        Parameters
        ----------
        layer : str
            Name of the layer.
        count : int
            Number of units to remove.

        Returns
        -------
        KeptUnits
            The units that always remain must remain.
        """
        return self.with_kept({**self.kept, layer: self.kept[layer] - count})

    def reduced_in(self, layer: str, parameters: int) -> "KeptUnits | None":
        """Remove about as few units of one layer as reduce the whole network to a size.

        Parameters
        ----------
        layer : str
            Name of the layer.
        parameters : int
            Number of effective parameters.

        Returns
        -------
        KeptUnits or None
            None if the layer alone cannot reduce the network to that size.
        """
        removable = self.kept[layer] - self.least[layer]
        too_few = 0
        enough = min(removable, effective_parameters(self.recipe) - parameters)
        best = self.without(layer, enough)
        if effective_parameters(best.recipe) > parameters:  # some units were not connected
            too_few, enough = enough, removable
            best = self.without(layer, enough)
            if effective_parameters(best.recipe) > parameters:
                return None
        while enough - too_few > max(1, COUNT_TOLERANCE * enough):
            middle = (too_few + enough) // 2
            candidate = self.without(layer, middle)
            if effective_parameters(candidate.recipe) > parameters:
                too_few = middle
            else:
                enough, best = middle, candidate
        return best


def refine(start: KeptUnits, required: float, report: ShareReport = ignore_progress) -> Recipe:
    """Make a recipe smaller layer by layer, as long as the accuracy is kept.

    In each iteration every layer proposes to reduce the network to the same size by itself
    (NetAdapt, Yang et al. 2018). Of those that keep the accuracy the one with the lowest
    cross-entropy on the validation images is taken: it depends less on single images than the
    accuracy does. Where none keeps it, the steps become smaller.

    Parameters
    ----------
    start : KeptUnits
        Where to begin.
    required : float
        Validation accuracy that must be kept.
    report : callable
        Called with the share of the allowed proposals that are measured.

    Returns
    -------
    Recipe
        The last one that keeps the accuracy; the start if there is none.
    """
    step = min(0.5, max(FIRST_STEP, STEP_PER_LAYER * len(start.units)))
    current, measured = start, 0
    while step >= LAST_STEP and measured < MAX_PROPOSALS:
        size = math.floor((1 - step) * effective_parameters(current.recipe))
        end = measured + len(current.units)
        report_part = part_of(report, measured / MAX_PROPOSALS, min(1.0, end / MAX_PROPOSALS))
        proposals = _proposals(current, size, report_part)
        best = _best_proposal(proposals, required, report_part)
        measured = end
        if best is None:
            step /= 2
        else:
            current = best
    return current.recipe


def _proposals(current: KeptUnits, parameters: int, report: ShareReport) -> list[KeptUnits]:
    """Let each layer by itself reduce the network to a size, where it can."""
    proposals = []
    for layer in current.units:
        report(0.0)
        proposal = current.reduced_in(layer, parameters)
        if proposal is not None:
            proposals.append(proposal)
    return proposals


def _best_proposal(
    proposals: Sequence[KeptUnits], required: float, report: ShareReport
) -> KeptUnits | None:
    """Find the proposal with the lowest cross-entropy among those that keep the accuracy."""

    def report_progress(progress: EvaluationProgress) -> None:
        report(progress.share)

    recipes = [proposal.recipe for proposal in proposals]
    best, lowest_loss = None, math.inf
    evaluations = evaluate(recipes, "validation", report=report_progress)
    for proposal, evaluation in zip(proposals, evaluations, strict=True):
        if evaluation.accuracy.value >= required and evaluation.tally.loss < lowest_loss:
            best, lowest_loss = proposal, evaluation.tally.loss
    return best
