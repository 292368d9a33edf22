"""Selections: which units of each group are removed, and the values that lead to a selection."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from pruning.methods.ranking import Ranking, SortedScores

if TYPE_CHECKING:
    from pruning.methods.rules import Rule

Value = float | str  # str: a pattern such as "2:4"

BISECTION_STEPS = 60  # more than a double's 53 bits


@dataclass(frozen=True, eq=False)
class GroupSelection:
    """The units of one group that are removed.

    Attributes
    ----------
    count : int
        Number of removed units: the lowest scores, unless `removed_mask` is given.
    threshold : float
        All units that score below it are removed, and none that scores above it; NaN where a rule
        depends on positions and not on scores alone.
    removed_mask : np.ndarray, optional
        (units,) bool, the removed units of such a rule.
    """

    count: int
    threshold: float = math.nan
    removed_mask: np.ndarray | None = None

    def removed(self, group: SortedScores) -> torch.Tensor:
        """Return which units of the group are removed.

        Parameters
        ----------
        group : SortedScores
            Group of this selection.

        Returns
        -------
        torch.Tensor
            (units,) bool in index order, without units that previous steps have removed.
        """
        if self.removed_mask is None:
            return group.lowest_mask(self.count)
        return torch.from_numpy(self.removed_mask)


Selection = dict[str, GroupSelection]  # by name of the group


@dataclass(frozen=True)
class SelectionSummary:
    """A selection as a number of units, a percentile and a range of thresholds.

    Attributes
    ----------
    removed, units : int
        Number of removed units, and of units that take part.
    lowest, highest : float
        Smallest and largest threshold of the groups, in units of the score.
    sigmas : tuple of float, optional
        The same in standard deviations of the layer's weights; None where units are not weights.
    """

    removed: int
    units: int
    lowest: float
    highest: float
    sigmas: tuple[float, float] | None

    @property
    def percentile(self) -> float:
        """Removed units in percent."""
        return 100 * self.removed / self.units if self.units else 0.0


def summarize(ranking: Ranking, selection: Selection) -> SelectionSummary:
    """Summarize a selection.

    Parameters
    ----------
    ranking : Ranking
        Ranking that the selection was made from.
    selection : Selection
        Removed units by group.

    Returns
    -------
    SelectionSummary
        Number of removed units, and range of the thresholds.
    """
    thresholds = [group.threshold for group in selection.values()] or [math.nan]
    sigmas = [
        group.threshold / ranking[name].std
        for name, group in selection.items()
        if ranking[name].std
    ]
    return SelectionSummary(
        removed=count_removed(selection),
        units=ranking.units,
        lowest=min(thresholds),
        highest=max(thresholds),
        sigmas=(min(sigmas), max(sigmas)) if sigmas else None,
    )


def count_removed(selection: Selection) -> int:
    """Count the removed units of all groups.

    Parameters
    ----------
    selection : Selection
        Removed units by group.

    Returns
    -------
    int
        Their number.
    """
    return sum(group.count for group in selection.values())


def value_for_count(
    rule: "Rule", ranking: Ranking, count: int, scope: str, pattern: str = "4:8"
) -> Value:
    """Find the value of a rule that removes the most units, but at most ``count``.

    Parameters
    ----------
    rule : Rule
        Its number of removed units is monotone between the ends of its value range, so that
        bisection finds the value.
    ranking : Ranking
        Scores of the units that take part.
    count : int
        Largest number of units to remove.
    scope : str
        Scope of the rule.
    pattern : str, default "4:8"
        For a rule of patterns: the value is a pattern of as many consecutive weights.

    Returns
    -------
    float or str
        Value to the precision of a float, or a pattern.
    """
    if rule.patterns:
        return _pattern_for_count(rule, ranking, count, scope, pattern)
    most = rule.interpolate(ranking, 1.0)
    if count_removed(rule.select(ranking, most, scope)) <= count:
        return most
    low, high = 0.0, 1.0
    for _ in range(BISECTION_STEPS):
        middle = (low + high) / 2
        value = rule.interpolate(ranking, middle)
        if count_removed(rule.select(ranking, value, scope)) <= count:
            low = middle
        else:
            high = middle
    return rule.interpolate(ranking, low)


def _pattern_for_count(rule: "Rule", ranking: Ranking, count: int, scope: str, pattern: str) -> str:
    """Try the patterns of as many weights, from the one that keeps none."""
    consecutive = int(pattern.partition(":")[2])
    for kept in range(consecutive):
        value = f"{kept}:{consecutive}"
        if count_removed(rule.select(ranking, value, scope)) <= count:
            return value
    return f"{consecutive}:{consecutive}"
