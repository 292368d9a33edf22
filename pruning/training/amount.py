"""How much of a pruning is done: the last step of a recipe, applied little by little."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from pruning.engine.apply_step import (
    Units,
    apply_selection,
    rank_scores,
    score_units,
    surviving_units,
)
from pruning.engine.masked_network import MaskedNetwork
from pruning.engine.prune import input_network, prune
from pruning.methods.ranking import Ranking
from pruning.methods.rules import RULES
from pruning.methods.selection import Selection, value_for_count
from pruning.recipe.recipe import Recipe
from pruning.runtime.progress import ShareReport, ignore_progress

Law = Callable[[float], float]
"""From the share of the units that is removed in the end to the share that is removed now."""


def everything(share: float) -> float:
    """Remove all at once.

    Parameters
    ----------
    share : float
        Share of the units that is removed in the end.

    Returns
    -------
    float
        The same.
    """
    return share


def geometric(progress: float) -> Law:
    """Remove the same share of the remaining units in each part of the progress.

    Parameters
    ----------
    progress : float
        From 0 to 1.

    Returns
    -------
    callable
        With k of n rounds done, ``1 - (1 - s)^(k / n)``.
    """
    return lambda share: 1 - (1 - share) ** progress


def linear(progress: float) -> Law:
    """Remove the same number of units in each part of the progress.

    Parameters
    ----------
    progress : float
        From 0 to 1.

    Returns
    -------
    callable
        ``s * progress``.
    """
    return lambda share: share * progress


def cubic(progress: float) -> Law:
    """Remove many units at first and few at last (Zhu & Gupta 2017).

    Parameters
    ----------
    progress : float
        From 0 to 1.

    Returns
    -------
    callable
        ``s * (1 - (1 - progress)^3)``.
    """
    return lambda share: share * (1 - (1 - progress) ** 3)


@dataclass(frozen=True, eq=False)
class Amount:
    """What the last step of a recipe removes from its trained network.

    Parameters
    ----------
    recipe : Recipe
        The recipe.
    units : dict of str to torch.Tensor
        Units that its previous steps leave, (units,) bool for each group.
    total : int
        Number of these units that take part in the last step.
    removed : int
        Number of them that the last step removes.
    """

    recipe: Recipe
    units: Units
    total: int
    removed: int

    @classmethod
    def of(cls, recipe: Recipe) -> "Amount":
        """Prune the trained network of a recipe, to count units.

        Parameters
        ----------
        recipe : Recipe
            Any recipe.

        Returns
        -------
        Amount
            Its units.
        """
        units = surviving_units(input_network(recipe), recipe)
        pruned = prune(recipe)
        return cls(recipe, units, pruned.ranking.units, pruned.removed_units)

    def prune(
        self, network: MaskedNetwork, law: Law, report: ShareReport = ignore_progress
    ) -> MaskedNetwork:
        """Score a network and remove units until a share of them is removed.

        Units that were removed before stay removed, and count.

        Parameters
        ----------
        network : MaskedNetwork
            The trained network of the recipe after any training, on the CPU; not modified.
        law : callable
            From the final share of removed units to the present one.
        report : callable
            Called with the share of the scoring that is done.

        Returns
        -------
        MaskedNetwork
            With further masks.
        """
        scores = score_units(network, self.recipe, report=report)
        rule = RULES[self.recipe.last_step.rule]
        choose = self._by_share if rule.value_is_share else self._by_count
        ranking, selection = choose(network, scores, law)
        return apply_selection(network, self.recipe, ranking, selection)

    def _by_share(
        self, network: MaskedNetwork, scores: dict[str, torch.Tensor], law: Law
    ) -> tuple[Ranking, Selection]:
        """Rank removed units first, so that the value is a share of the units of the start."""
        step = self.recipe.last_step
        surviving, initial = surviving_units(network, self.recipe), self._initial_units(network)
        removed_first = {}
        for name, group_scores in scores.items():
            survives = surviving[name].view(group_scores.shape)
            as_float = group_scores.detach().to(torch.float32)
            removed_first[name] = as_float.masked_fill(~survives, -torch.inf)
        ranking = rank_scores(network, self.recipe, removed_first, initial)
        ranking = ranking.restrict(self.recipe.chosen_layers)

        def value_now(value: float) -> float:
            kept = (1 - law(value)) * self.total
            return max(0.0, 1 - kept / max(1, ranking.units))

        values = {name: value_now(value) for name, value in step.values}
        value = value_now(float(step.value))
        return ranking, RULES[step.rule].select(ranking, value, step.scope, values)

    def _initial_units(self, network: MaskedNetwork) -> Units:
        """Units of the start; those that survive where a group has other units by now."""
        initial = {}
        for name, surviving in surviving_units(network, self.recipe).items():
            units = self.units.get(name, surviving)
            initial[name] = units if len(units) == len(surviving) else surviving
        return initial

    def _by_count(
        self, network: MaskedNetwork, scores: dict[str, torch.Tensor], law: Law
    ) -> tuple[Ranking, Selection]:
        """Find the value of the rule that removes as many units as are due; its own at the end."""
        step, rule = self.recipe.last_step, RULES[self.recipe.last_step.rule]
        surviving = surviving_units(network, self.recipe)
        ranking = rank_scores(network, self.recipe, scores, surviving)
        ranking = ranking.restrict(self.recipe.chosen_layers)
        final_share = self.removed / max(1, self.total)
        if law(final_share) >= final_share:
            return ranking, rule.select(ranking, step.value, step.scope, dict(step.values))
        due = round(law(final_share) * self.total)
        already_removed = self.total - ranking.units
        count = max(0, due - already_removed)
        scope = "layer" if step.scope == "custom" else step.scope
        pattern = step.value if isinstance(step.value, str) else "4:8"
        value = value_for_count(rule, ranking, count, scope, pattern)
        return ranking, rule.select(ranking, value, scope)
