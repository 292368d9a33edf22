"""Scores, sorted once, so that each selection is a search and not a pass over the weights."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch

from pruning.methods.units import UnitGroup

MAX_EXACT_SUM = 1_000_000
COLUMNS = 4_096
"""Numbers of more values that are summed separately."""
SAMPLE_STEP = 16
"""Scores for each one that is sampled."""
RESTRICTIONS = 4  # restricted rankings that are cached


@dataclass(frozen=True, eq=False)
class SortedScores:
    """Scores of the surviving units of one group.

    Attributes
    ----------
    order : np.ndarray
        (n,) int, indices of the units in ascending order of their scores, ties by index.
    values : np.ndarray
        (n,) float32, their scores.
    shape : tuple of int
        Arrangement of all units of the group, removed ones included.
    min_kept : int
        Number of units with the highest scores that always remain.
    std : float
        Population standard deviation of the weights, 0 where units are not weights.
    """

    order: np.ndarray
    values: np.ndarray
    shape: tuple[int, ...]
    min_kept: int = 0
    std: float = 0.0

    def __len__(self) -> int:
        return len(self.order)

    @property
    def removable(self) -> int:
        """Number of units that may be removed."""
        return max(0, len(self) - self.min_kept)

    def count_below(self, threshold: float) -> int:
        """Count the removable units that score strictly less than a threshold.

        Parameters
        ----------
        threshold : float
            In double precision.

        Returns
        -------
        int
            The comparison is exact. The search runs in float32, where ``s < t`` is the same as
            ``s < u`` with the smallest float32 ``u >= t``.
        """
        if threshold <= float(np.finfo(np.float32).max):
            limit = np.float32(threshold)
        else:
            limit = np.float32(np.inf)
        if float(limit) < threshold:  # as Python floats: NumPy would round the threshold first
            limit = np.nextafter(limit, np.float32(np.inf))
        return min(self.removable, int(np.searchsorted(self.values, limit, "left")))

    def lowest_mask(self, count: int) -> torch.Tensor:
        """Mark the lowest units.

        Parameters
        ----------
        count : int
            Number of units to mark.

        Returns
        -------
        torch.Tensor
            (units,) bool in index order.
        """
        mask = np.zeros(math.prod(self.shape), bool)
        mask[self.order[:count]] = True
        return torch.from_numpy(mask)

    @cached_property
    def moments(self) -> tuple[float, float]:
        """Mean and population standard deviation of the scores."""
        values = self.values.astype(np.float64)
        return float(values.mean()), float(values.std())

    @property
    def scores(self) -> np.ndarray:
        """Scores in index order, (units,) float32; minus infinity for removed units.

        Not cached: they take half as much memory as the ranking itself.
        """
        scores = np.full(math.prod(self.shape), -np.inf, np.float32)
        scores[self.order] = self.values
        return scores


class Ranking(Mapping[str, SortedScores]):
    """Sorted scores of the groups of a network by name, in network order.

    Parameters
    ----------
    groups : mapping of str to SortedScores
        Groups with at least one unit.
    """

    def __init__(self, groups: Mapping[str, SortedScores]):
        self._groups = dict(groups)
        self._restricted = _cached_restriction(self._groups)

    @classmethod
    def of(
        cls,
        scores: Mapping[str, torch.Tensor],
        groups: Mapping[str, UnitGroup],
        surviving_units: Mapping[str, torch.Tensor] = {},
        weights: Mapping[str, torch.Tensor] = {},
    ) -> "Ranking":
        """Sort scores.

        Parameters
        ----------
        scores : mapping of str to torch.Tensor
            One score for each unit of each group, of any shape.
        groups : mapping of str to UnitGroup
            Groups in network order.
        surviving_units : mapping of str to torch.Tensor, optional
            Surviving units of each group, (units,) bool; all of a group that is missing.
        weights : mapping of str to torch.Tensor, optional
            Where units are weights: the weights, for their standard deviations.

        Returns
        -------
        Ranking
            Without groups that have no surviving unit.

        Raises
        ------
        ValueError
            If a score is NaN.
        """
        ranked = {}
        for name, group in groups.items():
            values = scores[name].detach().flatten().to(torch.float32).numpy()
            units = (
                surviving_units[name].numpy().nonzero()[0]
                if name in surviving_units
                else np.arange(len(values))
            )
            if np.isnan(values[units]).any():
                raise ValueError(f"layer {name} has scores that are not numbers")
            if len(units) == 0:
                continue
            order = np.argsort(values[units], kind="stable").astype(np.int32)
            if name in surviving_units:
                order = units.astype(np.int32)[order]
            std = 0.0
            if name in weights:
                flat = weights[name].detach().flatten()
                kept = flat[units] if name in surviving_units else flat
                std = _population_std(kept.double())
            ranked[name] = SortedScores(order, values[order], group.shape, group.min_kept, std)
        return cls(ranked)

    def __getitem__(self, name: str) -> SortedScores:
        return self._groups[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._groups)

    def __len__(self) -> int:
        return len(self._groups)

    def restrict(self, names: tuple[str, ...]) -> "Ranking":
        """Return a ranking of some groups that shares their scores.

        Parameters
        ----------
        names : tuple of str
            Names of groups in any order; others are ignored.

        Returns
        -------
        Ranking
            Cached, in network order; the ranking itself if all groups are named.
        """
        if set(names) >= set(self):
            return self
        return self._restricted(tuple(name for name in self if name in names))

    @property
    def units(self) -> int:
        """Number of units that take part."""
        return sum(len(group) for group in self.values())

    @property
    def removable(self) -> int:
        """Number of units that may be removed."""
        return sum(group.removable for group in self.values())

    @cached_property
    def _removable_values(self) -> list[np.ndarray]:
        """Scores of the removable units of each group, in ascending order."""
        return [group.values[: group.removable] for group in self.values()]

    @cached_property
    def _sample(self) -> np.ndarray:
        """Every `SAMPLE_STEP`-th of them, of all groups in ascending order, (n,) float32."""
        samples = [values[::SAMPLE_STEP] for values in self._removable_values]
        return np.sort(np.concatenate(samples)) if samples else np.empty(0, np.float32)

    def score_at(self, rank: int) -> np.float32:
        """Return the score of one rank among all removable units.

        The scores of all groups are not merged, which would take as much memory as they do. The
        sample bounds the score from both sides, so that few scores are left to be sorted.

        Parameters
        ----------
        rank : int
            From 0, the lowest, to less than ``removable``.

        Returns
        -------
        float
            The score, as it is stored.
        """
        runs = self._removable_values
        # Of m sampled scores below a bound, at most m steps are below it, and at least m - 1.
        first = rank // SAMPLE_STEP
        last = first + len(runs) + 1
        low = self._sample[first]
        up_to_low = [int(np.searchsorted(values, low, "right")) for values in runs]
        if rank < sum(up_to_low):
            return low
        ends = [len(values) for values in runs]
        if last < len(self._sample):
            high = self._sample[last]
            ends = [int(np.searchsorted(values, high, "left")) for values in runs]
            if rank >= sum(ends):
                return high
        between = []
        for values, start, end in zip(runs, up_to_low, ends, strict=True):
            between.append(values[start:end])
        index = rank - sum(up_to_low)
        return np.partition(np.concatenate(between), index)[index]

    def lowest_counts(self, count: int) -> dict[str, int]:
        """Count the units of each group among the ``count`` lowest removable units.

        Parameters
        ----------
        count : int
            At most ``removable``.

        Returns
        -------
        dict of str to int
            Counts by group; ties go by group, then by index.
        """
        if not count:
            return dict.fromkeys(self, 0)
        highest = self.score_at(count - 1)
        removable = dict(zip(self, self._removable_values, strict=True))
        counts = {}
        for name, values in removable.items():
            counts[name] = int(np.searchsorted(values, highest, "left"))
        ties = count - sum(counts.values())
        for name, values in removable.items():
            if not ties:
                break
            up_to_highest = int(np.searchsorted(values, highest, "right"))
            tied = min(ties, up_to_highest - counts[name])
            counts[name] += tied
            ties -= tied
        return counts


def _cached_restriction(
    groups: Mapping[str, SortedScores],
) -> Callable[[tuple[str, ...]], Ranking]:
    """Return a cached function from names to their ranking, safe to call from several threads."""

    @lru_cache(maxsize=RESTRICTIONS)
    def restricted(names: tuple[str, ...]) -> Ranking:
        return Ranking({name: groups[name] for name in names})

    return restricted


def _population_std(values: torch.Tensor) -> float:
    """Return the population standard deviation of (n,).

    The result does not depend on the machine and its threads.
    """
    mean = _sum(values) / len(values)
    return math.sqrt(_sum((values - mean) ** 2) / len(values))


def _sum(values: torch.Tensor) -> float:
    """Sum float64 numbers, exactly rounded; of many, some are added one by one before."""
    if len(values) > MAX_EXACT_SUM:
        whole = len(values) // COLUMNS * COLUMNS
        columns = values[:whole].view(-1, COLUMNS).numpy().sum(0)  # row by row, in order
        return math.fsum([*columns.tolist(), *values[whole:].tolist()])
    return math.fsum(values.tolist())
