"""Scores, sorted once, so that every later choice is a search and not a pass over the weights."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch

from pruning.methods.units import UnitGroup


@dataclass(frozen=True, eq=False)
class SortedScores:
    """The living units of one group. ``order`` (n,) lists them from the lowest score up, ties by index; ``values`` (n,)
    are their scores.

    ``shape`` is how all units of the group are arranged, living or not; ``min_kept`` of the living ones always remain, the
    highest. ``std`` is the population standard deviation of the units, where they are weights.
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
        return max(0, len(self) - self.min_kept)

    def count_below(self, threshold: float) -> int:
        """How many units score strictly less: the search runs in float32, where ``s < t`` is ``s < smallest u >= t``."""
        limit = (
            np.float32(threshold)
            if threshold <= float(np.finfo(np.float32).max)
            else np.float32(np.inf)
        )
        if float(limit) < threshold:  # as Python floats: numpy would round the threshold first
            limit = np.nextafter(limit, np.float32(np.inf))
        return min(self.removable, int(np.searchsorted(self.values, limit, "left")))

    def lowest_mask(self, count: int) -> torch.Tensor:
        """Which units go when ``count`` do: (units,) bool in index order."""
        gone = np.zeros(math.prod(self.shape), bool)
        gone[self.order[:count]] = True
        return torch.from_numpy(gone)

    @cached_property
    def moments(self) -> tuple[float, float]:
        """Mean and population standard deviation of the scores."""
        values = self.values.astype(np.float64)
        return float(values.mean()), float(values.std())

    @cached_property
    def scores(self) -> np.ndarray:
        """The scores of all units in index order, (units,) float32; units that are gone have minus infinity."""
        scores = np.full(math.prod(self.shape), -np.inf, np.float32)
        scores[self.order] = self.values
        return scores


class Ranking(Mapping[str, SortedScores]):
    """The groups of a network by name, in network order."""

    def __init__(self, groups: Mapping[str, SortedScores]):
        self._groups = dict(groups)
        self._restricted = lru_cache(maxsize=4)(
            lambda names: Ranking({name: groups[name] for name in names})
        )

    @classmethod
    def of(
        cls,
        scores: Mapping[str, torch.Tensor],
        groups: Mapping[str, UnitGroup],
        alive: Mapping[str, torch.Tensor] = {},
        weights: Mapping[str, torch.Tensor] = {},
    ) -> "Ranking":
        """Sort ``scores`` {group: one per unit}, of the units that are ``alive`` {group: (units,) bool, all if missing}.

        ``weights`` are given where the units are weights, for their standard deviations.

        Raises
        ------
        ValueError : a score is not a number.
        """
        ranked = {}
        for name, group in groups.items():
            flat = scores[name].detach().flatten().to(torch.float32).numpy()
            units = alive[name].numpy().nonzero()[0] if name in alive else np.arange(len(flat))
            if np.isnan(flat[units]).any():
                raise ValueError(f"layer {name} has scores that are not numbers")
            order = units[np.argsort(flat[units], kind="stable")].astype(np.int32)
            std = (
                _std(weights[name].detach().double().flatten()[units])
                if name in weights and len(units)
                else 0.0
            )
            if len(order):
                ranked[name] = SortedScores(order, flat[order], group.shape, group.min_kept, std)
        return cls(ranked)

    def __getitem__(self, name: str) -> SortedScores:
        return self._groups[name]

    def __iter__(self):
        return iter(self._groups)

    def __len__(self) -> int:
        return len(self._groups)

    def restrict(self, names: tuple[str, ...]) -> "Ranking":
        """The same ranking, shared, of some groups; always in network order."""
        if set(names) >= set(self):
            return self
        return self._restricted(tuple(name for name in self if name in names))

    @property
    def units(self) -> int:
        return sum(len(group) for group in self.values())

    @property
    def removable(self) -> int:
        return sum(group.removable for group in self.values())

    @cached_property
    def sorted_removable(self) -> np.ndarray:
        """The scores of all that may go, sorted; the groups' sorted runs make this a merge."""
        return np.sort(
            np.concatenate(
                [g.values[: g.removable] for g in self.values()] or [np.empty(0, np.float32)]
            ),
            kind="stable",
        )

    def lowest_counts(self, count: int) -> dict[str, int]:
        """How many of each group are among the ``count`` lowest that may go; ties go by group, then by index."""
        if not count:
            return dict.fromkeys(self, 0)
        last = self.sorted_removable[count - 1]
        may_go = {name: group.values[: group.removable] for name, group in self.items()}
        counts = {
            name: int(np.searchsorted(values, last, "left")) for name, values in may_go.items()
        }
        ties = count - sum(counts.values())
        for name, values in may_go.items():
            if not ties:
                break
            taken = min(ties, int(np.searchsorted(values, last, "right")) - counts[name])
            counts[name] += taken
            ties -= taken
        return counts


def _std(values: torch.Tensor) -> float:
    """Population standard deviation of (n,), exactly rounded sums: the same whatever the machine and its threads."""
    mean = math.fsum(values.tolist()) / len(values)
    return math.sqrt(math.fsum(((values - mean) ** 2).tolist()) / len(values))
