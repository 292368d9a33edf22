"""Rules: what turns scores into a choice. Each is a search in sorted scores, none a pass over the weights."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pruning.ranking import Ranked, Ranking
from pruning.registry import Registry, register


@dataclass(frozen=True)
class Cut:
    """A layer loses its ``count`` lowest units: all that score below ``threshold``, none that score above it."""

    count: int
    threshold: float


Choice = dict[str, Cut]  # by layer


@dataclass(frozen=True)
class Rule:
    """``function(ranking, value, scope) -> Choice``; ``limit(ranking)`` is a value at which everything goes.

    ``scopes`` are those that make a difference; without any, the layer is cut by itself whatever the scope.
    ``criteria`` are those it makes sense for; empty means all.
    """

    name: str
    function: Callable[[Ranking, float, str], Choice]
    limit: Callable[[Ranking], float]
    label: str
    formula: str
    source: str
    help: str
    scopes: tuple[str, ...] = ()
    criteria: tuple[str, ...] = ()
    largest: float = math.inf

    def check(self, value: float) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= self.largest \
                or math.isinf(value):
            valid = "between 0 and 1" if self.largest == 1 else "a number, 0 or more"
            raise ValueError(f"{self.name} must be {valid}, not {value}")

    def choose(self, ranking: Ranking, value: float, scope: str) -> Choice:
        self.check(value)
        return self.function(ranking, value, scope)


RULES: Registry[Rule] = Registry("rule")

SCOPES: Registry[str] = Registry("scope")
SCOPES.add("global", "All layers compete with each other")
SCOPES.add("layer", "Each layer loses the same share")


def rule(name: str, **info) -> Callable:
    return register(RULES, Rule, name, **info)


def _above(layer: Ranked | np.ndarray) -> float:
    """The next float32 above the largest score."""
    values = layer.values if isinstance(layer, Ranked) else layer
    return float(np.nextafter(values[-1], np.float32(np.inf)))


def _lowest_kept(values: np.ndarray, count: int) -> float:
    return float(values[count]) if count < len(values) else _above(values)


def _below(ranking: Ranking, threshold: Callable[[Ranked], float]) -> Choice:
    cuts = {name: (layer, threshold(layer)) for name, layer in ranking.items()}
    return {name: Cut(layer.below(limit), limit) for name, (layer, limit) in cuts.items()}


@rule("sparsity", label="Sparsity", formula=r"\text{the } \mathrm{round}(s\,n) \text{ lowest scores}",
      source="exact count; ties go by index", limit=lambda ranking: 1.0, largest=1.0, scopes=("global", "layer"),
      help="Removes exactly this share of the units that take part, the lowest scores first.")
def sparsity(ranking: Ranking, value: float, scope: str) -> Choice:
    if scope == "layer":
        counts = {name: round(value * len(layer)) for name, layer in ranking.items()}
        return {name: Cut(count, _lowest_kept(ranking[name].values, count)) for name, count in counts.items()}
    count = round(value * ranking.units)
    threshold = _lowest_kept(ranking.merged, count)
    return {name: Cut(part, threshold) for name, part in ranking.lowest(count).items()}


@rule("threshold", label="Threshold", formula=r"\text{score} < t", source="strictly below",
      limit=lambda ranking: max(_above(layer) for layer in ranking.values()),
      help="Removes every unit whose score is below this value, in whatever layer it is.")
def threshold(ranking: Ranking, value: float, scope: str) -> Choice:
    return _below(ranking, lambda layer: value)


@rule("relative", label="Relative threshold", formula=r"\text{score} < t \cdot \max_{\text{layer}} \text{score}",
      source="relative to the layer's largest score", limit=lambda ranking: 1.0, largest=1.0,
      help="Removes units whose score is below this share of the largest score of their layer.")
def relative(ranking: Ranking, value: float, scope: str) -> Choice:
    return _below(ranking, lambda layer: value * float(layer.values[-1]))


@rule("sigma", label="Sigma", formula=r"|w| < k \cdot \sigma_{\text{layer}}", source="Han et al. 2015, quality factor",
      limit=lambda ranking: max(_above(layer) / layer.std for layer in ranking.values() if layer.std) if any(
          layer.std for layer in ranking.values()) else 1.0, criteria=("magnitude",),
      help="Removes weights smaller than k standard deviations of their layer's weights.")
def sigma(ranking: Ranking, value: float, scope: str) -> Choice:
    return _below(ranking, lambda layer: value * layer.std)


@dataclass(frozen=True)
class Views:
    """One choice seen from every side: thresholds and sparsity are views of one thing.

    ``removed`` of the ``units`` that take part; ``lowest`` and ``highest`` of the layers' thresholds, in the score and
    in ``sigmas``: standard deviations of the layer's weights.
    """

    removed: int
    units: int
    lowest: float
    highest: float
    sigmas: tuple[float, float]

    @property
    def percentile(self) -> float:
        return 100 * self.removed / self.units


def views(ranking: Ranking, choice: Choice) -> Views:
    thresholds = [cut.threshold for cut in choice.values()]
    sigmas = [cut.threshold / ranking[name].std for name, cut in choice.items() if ranking[name].std] or [0.0]
    return Views(sum(cut.count for cut in choice.values()), ranking.units, min(thresholds), max(thresholds),
                 (min(sigmas), max(sigmas)))


def value_for(rule: Rule, ranking: Ranking, count: int, scope: str) -> float:
    """The largest value of the rule, to float precision, that removes at most ``count`` units.

    The number removed never falls as the value grows, so this is a bisection of searches.
    """
    removes = lambda value: sum(cut.count for cut in rule.choose(ranking, value, scope).values())  # noqa: E731
    low, high = 0.0, rule.limit(ranking)
    if removes(high) <= count:
        return high
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if removes(middle) <= count else (low, middle)
    return low
