"""What every value of a rule removes, so that a browser can follow a slider by itself."""

from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np

from pruning.engine.caches import cached
from pruning.engine.prune import prune, rank_units
from pruning.engine.trained_network import cache_key
from pruning.methods.ranking import Ranking
from pruning.methods.rules import RULES
from pruning.methods.selection import count_removed
from pruning.recipe.recipe import Recipe

EVEN_VALUES = 101
"""Values between those that remove nothing and everything, and once more between those that remove
nothing and all but the highest scores, which are few and far away."""
HIGHEST = 0.001
"""Share of the units that have the highest scores."""
KNOTS = 17
"""Values whose parameters are counted."""
BISECTION_STEPS = 40


@dataclass(frozen=True, eq=False)
class ThresholdTable:
    """Units that a step removes, by the value of its rule.

    Parameters
    ----------
    values : np.ndarray
        (k,) float64, values of the rule; each removes at least as many units as the one before.
    counts : dict of str to np.ndarray
        (k,) int64 for each group: its removed units.
    thresholds : dict of str to np.ndarray
        (k,) float64 for each group: its removed units score below.
    parameter_counts : np.ndarray
        (m, 2) int64: removed units of all groups, and remaining parameters of the masked network.
    """

    values: np.ndarray
    counts: dict[str, np.ndarray]
    thresholds: dict[str, np.ndarray]
    parameter_counts: np.ndarray


def has_threshold_table(recipe: Recipe) -> bool:
    """Return whether one number decides what the last step of a recipe removes.

    Parameters
    ----------
    recipe : Recipe
        A recipe whose scores are cached.

    Returns
    -------
    bool
        False for the scope ``custom``, for patterns, and where no unit can be removed.
    """
    step = recipe.last_step
    if step.scope == "custom" or RULES[step.rule].patterns:
        return False
    return rank_units(recipe).removable > 1


def _key(recipe: Recipe) -> Hashable:
    return cache_key(_without_value(recipe))


def _without_value(recipe: Recipe) -> Recipe:
    rule = RULES[recipe.last_step.rule]
    none, _ = rule.value_range(rank_units(recipe))
    without = replace(recipe.on_all_images, recovery=())
    return without.with_last_step(value=none)


@cached("threshold tables", max_size=64, key=_key)
def threshold_table(recipe: Recipe) -> ThresholdTable:
    """Tabulate what the values of a rule remove.

    Parameters
    ----------
    recipe : Recipe
        One for which `has_threshold_table` holds; the value of its last step does not matter.

    Returns
    -------
    ThresholdTable
        A few hundred values.
    """
    step, ranking = recipe.last_step, rank_units(recipe)
    selections = []
    for value in _values(recipe, ranking):
        selection = RULES[step.rule].select(ranking, value, step.scope)
        selections.append((count_removed(selection), value, selection))
    none, most = RULES[step.rule].value_range(ranking)
    rises = most >= none
    selections.sort(key=lambda item: (item[0], item[1] if rises else -item[1]))
    counts, thresholds = {}, {}
    for name in ranking:
        counts[name] = np.array([selection[name].count for _, _, selection in selections])
        lines = np.array([selection[name].threshold for _, _, selection in selections])
        thresholds[name] = np.maximum.accumulate(lines)
    values = np.array([value for _, value, _ in selections])
    return ThresholdTable(values, counts, thresholds, _count_parameters(recipe, values))


def _values(recipe: Recipe, ranking: Ranking) -> list[float]:
    """Choose values that are dense where most scores are, and reach to both ends."""
    rule = RULES[recipe.last_step.rule]
    most_units = _share_that_removes(recipe, ranking, 1 - HIGHEST)
    shares = {*np.linspace(0, 1, EVEN_VALUES), *np.linspace(0, most_units, EVEN_VALUES)}
    values = {rule.interpolate(ranking, float(share)) for share in shares}
    if recipe.last_step.rule == "sparsity":
        values |= _shares_below_even_scores(ranking)
    return sorted(values)


def _share_that_removes(recipe: Recipe, ranking: Ranking, removed: float) -> float:
    """Find how far between its ends the value of a rule is that removes a share of the units."""
    step, rule = recipe.last_step, RULES[recipe.last_step.rule]
    low, high = 0.0, 1.0
    for _ in range(BISECTION_STEPS):
        middle = (low + high) / 2
        selection = rule.select(ranking, rule.interpolate(ranking, middle), step.scope)
        if count_removed(selection) <= removed * ranking.removable:
            low = middle
        else:
            high = middle
    return high


def _shares_below_even_scores(ranking: Ranking) -> set[float]:
    """Share of the units below scores that are even on the axis of a histogram."""
    scores = ranking.sorted_removable
    high = float(np.quantile(scores, 1 - HIGHEST))
    lines = np.linspace(float(scores[0]), high, EVEN_VALUES)
    below = np.searchsorted(scores, lines) / ranking.units
    return {float(share) for share in below}


def _count_parameters(recipe: Recipe, values: np.ndarray) -> np.ndarray:
    knots = []
    for index in np.linspace(0, len(values) - 1, KNOTS).astype(int):
        pruned = prune(_without_value(recipe).with_last_step(value=float(values[index])))
        knots.append((pruned.removed_units, pruned.masked.parameters))
    return np.array(knots)
