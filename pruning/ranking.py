"""Scores, sorted once, so that every later choice is a search and not a pass over the weights."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch


@dataclass(frozen=True, eq=False)
class Ranked:
    """One layer. ``order`` (n,) lists its units from the lowest score up, ties by index; ``values`` (n,) their scores.

    ``std`` is the population standard deviation of the layer's weights.
    """

    order: np.ndarray
    values: np.ndarray
    std: float

    def __len__(self) -> int:
        return len(self.order)

    def below(self, threshold: float) -> int:
        """How many units score strictly less: the search runs in float32, where ``s < t`` is ``s < smallest u >= t``."""
        limit = np.float32(threshold) if threshold <= float(np.finfo(np.float32).max) else np.float32(np.inf)
        if float(limit) < threshold:  # as Python floats: numpy would round the threshold first
            limit = np.nextafter(limit, np.float32(np.inf))
        return int(np.searchsorted(self.values, limit, "left"))

    def removed(self, count: int) -> torch.Tensor:
        """Which units go when ``count`` do: (n,) bool in index order."""
        gone = np.zeros(len(self.order), bool)
        gone[self.order[:count]] = True
        return torch.from_numpy(gone)


class Ranking(Mapping[str, Ranked]):
    """The layers of a network by name, in network order."""

    def __init__(self, layers: Mapping[str, Ranked]):
        self._layers = dict(layers)
        self._only = lru_cache(maxsize=16)(lambda names: Ranking({name: layers[name] for name in names}))

    @classmethod
    def of(cls, scores: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor]) -> "Ranking":
        """Sort ``scores`` {layer: one per unit}; ``weights`` {layer: weight tensor} give the standard deviations.

        Raises
        ------
        ValueError : a score is not a number.
        """
        layers = {}
        for name, score in scores.items():
            flat = score.detach().flatten().to(torch.float32).numpy()
            if np.isnan(flat).any():
                raise ValueError(f"layer {name} has scores that are not numbers")
            order = np.argsort(flat, kind="stable").astype(np.int32)
            layers[name] = Ranked(order, flat[order], _std(weights[name].detach().double().flatten()))
        return cls(layers)

    def __getitem__(self, name: str) -> Ranked:
        return self._layers[name]

    def __iter__(self):
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def only(self, names: tuple[str, ...]) -> "Ranking":
        """The same ranking, shared, of some layers; always in network order."""
        if set(names) >= set(self):
            return self
        return self._only(tuple(name for name in self if name in names))

    @property
    def units(self) -> int:
        return sum(len(layer) for layer in self.values())

    @cached_property
    def merged(self) -> np.ndarray:
        """The scores of all layers together, sorted; the layers' sorted runs make this a merge."""
        return np.sort(np.concatenate([layer.values for layer in self.values()]), kind="stable")

    def lowest(self, count: int) -> dict[str, int]:
        """How many of each layer are among the ``count`` lowest of all; ties go by layer, then by index."""
        if not count:
            return dict.fromkeys(self, 0)
        last = self.merged[count - 1]
        counts = {name: int(np.searchsorted(layer.values, last, "left")) for name, layer in self.items()}
        ties = count - sum(counts.values())
        for name, layer in self.items():
            if not ties:
                break
            taken = min(ties, int(np.searchsorted(layer.values, last, "right")) - counts[name])
            counts[name] += taken
            ties -= taken
        return counts


def _std(values: torch.Tensor) -> float:
    """Population standard deviation of (n,), exactly rounded sums: the same whatever the machine and its threads."""
    mean = math.fsum(values.tolist()) / len(values)
    return math.sqrt(math.fsum(((values - mean) ** 2).tolist()) / len(values))
