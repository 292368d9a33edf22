"""Units removed at every value of a rule, tabulated for a threshold that is moved in a browser."""

import heapq
from collections.abc import Hashable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from pruning.engine.caches import cached
from pruning.engine.prune import prune, rank_units
from pruning.engine.trained_network import cache_key
from pruning.methods.ranking import Ranking
from pruning.methods.rules import RULES
from pruning.methods.selection import Selection, count_removed
from pruning.methods.units import METHODS
from pruning.recipe.recipe import Recipe

MAX_VALUES = 320
FEWEST_VALUES = 9
"""Values with which the refinement begins, even between those that remove nothing and the most."""
COUNT_STEP = 0.005
"""Share of the units by which neighbouring values may differ."""
THRESHOLD_STEP = 1 / 160
"""Share of the axis of a group, about a bin, by which its threshold may differ between them."""
HIGHEST = 0.001
"""Share of the units of a group that its axis leaves out."""
SMALLEST_GAP = 1e-20
"""Equal scores are removed together, however near two values are."""
KNOTS = 17
KNOTS_OF_UNITS = 129
"""Values whose parameters are counted: those of weights are proportional to the removed units."""
LARGEST = float(np.finfo(np.float32).max)


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


def table_key(recipe: Recipe) -> Hashable:
    """Return the key of what is cached for a recipe whatever the value of its last step.

    Parameters
    ----------
    recipe : Recipe
        One for which `has_threshold_table` holds.

    Returns
    -------
    hashable
        The same for all recipes with one `threshold_table`.
    """
    return cache_key(_without_value(recipe))


def _without_value(recipe: Recipe) -> Recipe:
    rule = RULES[recipe.last_step.rule]
    none, _ = rule.value_range(rank_units(recipe))
    without = replace(recipe.on_all_images, recovery=())
    return without.with_last_step(value=none)


@cached("threshold tables", max_size=64, key=table_key)
def threshold_table(recipe: Recipe) -> ThresholdTable:
    """Tabulate what the values of a rule remove.

    Parameters
    ----------
    recipe : Recipe
        One for which `has_threshold_table` holds; the value of its last step does not matter.

    Returns
    -------
    ThresholdTable
        A few hundred values. Between neighbours, counts and thresholds are nearly linear: the
        intervals in which they change the most are halved until they change little.
    """
    ranking = rank_units(recipe)
    points = _refine(recipe, ranking)
    counts, thresholds = {}, {}
    for name in ranking:
        counts[name] = np.array([point.selection[name].count for point in points])
        lines = np.array([point.selection[name].threshold for point in points])
        thresholds[name] = np.maximum.accumulate(np.clip(lines, -LARGEST, LARGEST))
    values = np.array([point.value for point in points])
    return ThresholdTable(values, counts, thresholds, _count_parameters(recipe, values))


@dataclass(frozen=True, eq=False)
class _Point:
    """What one value removes; ``share`` is how far it lies between the ends of its range."""

    share: float
    value: float
    selection: Selection
    removed: int


def _refine(recipe: Recipe, ranking: Ranking) -> list[_Point]:
    """Halve the interval with the largest change until all are small or the table is full."""
    step, rule = recipe.last_step, RULES[recipe.last_step.rule]
    axes = {name: _axis(ranked.values) for name, ranked in ranking.items()}

    def point_at(share: float) -> _Point:
        value = rule.interpolate(ranking, share)
        selection = rule.select(ranking, value, step.scope)
        return _Point(share, value, selection, count_removed(selection))

    def interval(left: _Point, right: _Point) -> tuple[float, float, _Point, _Point]:
        return -_change(left, right, ranking.units, axes), left.share, left, right

    points = [point_at(float(share)) for share in np.linspace(0, 1, FEWEST_VALUES)]
    intervals = [interval(left, right) for left, right in pairwise(points)]
    heapq.heapify(intervals)
    while len(points) < MAX_VALUES and intervals:
        change, _, left, right = heapq.heappop(intervals)
        if -change <= 1:
            break
        share = (left.share + right.share) / 2
        if right.share - left.share < SMALLEST_GAP or share in (left.share, right.share):
            continue
        middle = point_at(share)
        points.append(middle)
        heapq.heappush(intervals, interval(left, middle))
        heapq.heappush(intervals, interval(middle, right))
    return sorted(points, key=lambda point: point.share)


def _axis(scores: np.ndarray) -> tuple[float, float]:
    """Ends of the axis of a group."""
    low, high = float(scores[0]), float(np.quantile(scores, 1 - HIGHEST))
    return (low, high) if low < high else (low, low + 1)


def _change(left: _Point, right: _Point, units: int, axes: dict[str, tuple[float, float]]) -> float:
    """Change of counts and thresholds between two values, in steps that are allowed.

    One unit more or less is a jump, which smaller intervals cannot divide.
    """
    removed, change = 0, 0.0
    for name, (low, high) in axes.items():
        before, after = left.selection[name], right.selection[name]
        count = after.count - before.count
        if count <= 1:
            continue
        removed += count
        first = min(max(before.threshold, low), high)
        last = min(max(after.threshold, low), high)
        change = max(change, (last - first) / (high - low) / THRESHOLD_STEP)
    return max(change, removed / (COUNT_STEP * units))


def _count_parameters(recipe: Recipe, values: np.ndarray) -> np.ndarray:
    are_weights = METHODS[recipe.last_step.method].units_are_weights
    knots = []
    for index in np.linspace(0, len(values) - 1, KNOTS if are_weights else KNOTS_OF_UNITS):
        pruned = prune(_without_value(recipe).with_last_step(value=float(values[int(index)])))
        knots.append((pruned.removed_units, pruned.masked.parameters))
    return np.array(knots)
