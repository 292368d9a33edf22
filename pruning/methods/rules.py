"""Rules: what turns scores into a choice. Each is a search in sorted scores, none a pass over the weights."""

import math
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from pruning.methods.ranking import Ranking, SortedScores
from pruning.runtime.registry import Registry, register

Value = float | str  # str: "2:4"


@dataclass(frozen=True, eq=False)
class GroupSelection:
    """A group loses its ``count`` lowest units: all that score below ``threshold``, none that score above it.

    Where a rule goes by place and not by score alone, ``removed_mask`` (units,) bool says which, and there is no threshold.
    """

    count: int
    threshold: float = math.nan
    removed_mask: np.ndarray | None = None

    def removed(self, group: SortedScores) -> torch.Tensor:
        """(units,) bool in index order; units that were gone before are not among them."""
        return (
            group.lowest_mask(self.count)
            if self.removed_mask is None
            else torch.from_numpy(self.removed_mask)
        )


Selection = dict[str, GroupSelection]  # by group


@dataclass(frozen=True)
class Rule:
    """``function(ranking, value, scope) -> Selection``; ``value_range(ranking)`` gives two values: one at which nothing goes and
    one at which the most does. On the way from the one to the other the number removed never falls.

    ``scopes`` are those that make a difference; without any, each group is cut by itself whatever the scope.
    ``criteria`` and ``methods`` are those it makes sense for; empty means all; ``why_not`` says why not the others.
    ``patterns``: its values are these, not numbers from ``min_value`` to ``max_value``.
    """

    name: str
    function: Callable[[Ranking, Value, str], Selection]
    value_range: Callable[[Ranking], tuple[float, float]]
    label: str
    formula: str
    source: str
    help: str
    scopes: tuple[str, ...] = ()
    criteria: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    why_not: str = ""
    needs_nonnegative: bool = False  # only for scores that are never negative
    log_scale: bool = False  # the way from nothing to the most is one of ratios
    min_value: float = 0.0
    max_value: float = math.inf
    patterns: tuple[str, ...] = ()

    def check(self, value: Value) -> None:
        if self.patterns:
            found = (
                re.fullmatch(r"([0-9]{1,2}):([0-9]{1,2})", value)
                if isinstance(value, str)
                else None
            )
            if not found or not 0 <= int(found[1]) <= int(found[2]) or not int(found[2]):
                raise ValueError(
                    f"{self.name} must be like {', '.join(self.patterns[:3])}, not {value!r}"
                )
        elif (
            not isinstance(value, int | float)
            or isinstance(value, bool)
            or not self.min_value <= value <= self.max_value
            or not abs(value) <= sys.float_info.max
        ):
            valid = (
                "a number"
                if self.min_value == -math.inf
                else f"a number, {self.min_value:g} or more"
                if self.max_value == math.inf
                else f"between {self.min_value:g} and {self.max_value:g}"
            )
            raise ValueError(f"{self.name} must be {valid}, not {str(value)[:30]}")

    @staticmethod
    def plain(value: str) -> str:
        """A pattern as it is usually written: 02:04 is 2:4."""
        return ":".join(str(int(number)) for number in value.split(":"))

    def select(
        self, ranking: Ranking, value: Value, scope: str, values: Mapping[str, float] = {}
    ) -> Selection:
        """In the scope ``custom`` ``values`` overrule ``value``, group by group."""
        self.check(value)
        if scope == "custom":
            return {
                name: cut
                for name in ranking
                for cut in self.function(
                    ranking.restrict((name,)), values.get(name, value), "layer"
                ).values()
            }
        return self.function(ranking, value, scope)

    def interpolate(self, ranking: Ranking, share: float) -> float:
        """The value at this share of the way from nothing to everything."""
        none, most = self.value_range(ranking)
        if self.log_scale:
            return none ** (1 - share) * most**share
        return none * (1 - share) + most * share  # exact at both ends


RULES: Registry[Rule] = Registry("rule")

SCOPES: Registry[str] = Registry("scope")
SCOPES.add("global", "All layers compete with each other")
SCOPES.add("layer", "Each layer loses the same share")
SCOPES.add(
    "erk",
    "Each layer keeps a share in proportion to (its sizes added) / (its sizes multiplied), so that small layers "
    "keep more (Erdős–Rényi kernel densities, Mocanu et al. 2018, Evci et al. 2020)",
)
SCOPES.add("custom", "Each layer has a value of its own")


def rule(name: str, **info) -> Callable:
    return register(RULES, Rule, name, **info)


def _above(values: np.ndarray) -> float:
    """The next float32 above the largest score."""
    return float(np.nextafter(values[-1], np.float32(np.inf)))


def _lowest_kept(values: np.ndarray, count: int) -> float:
    return float(values[count]) if count < len(values) else _above(values) if len(values) else 0.0


def _below(ranking: Ranking, threshold: Callable[[SortedScores], float]) -> Selection:
    limits = {name: threshold(group) for name, group in ranking.items()}
    return {
        name: GroupSelection(group.count_below(limits[name]), limits[name])
        for name, group in ranking.items()
    }


@rule(
    "sparsity",
    label="Sparsity",
    formula=r"\text{the } \mathrm{round}(s\,n) \text{ lowest scores}",
    source="exact count; ties go by index",
    value_range=lambda ranking: (0.0, 1.0),
    max_value=1.0,
    scopes=("global", "layer", "erk"),
    help="Removes exactly this share of the units that take part, the lowest scores first.",
)
def sparsity(ranking: Ranking, value: float, scope: str) -> Selection:
    if scope == "global":
        count = min(round(value * ranking.units), ranking.removable)
        threshold = _lowest_kept(ranking.sorted_removable, count)
        return {
            name: GroupSelection(part, threshold)
            for name, part in ranking.lowest_counts(count).items()
        }
    if scope == "erk":
        counts = erk({name: (group.shape, len(group)) for name, group in ranking.items()}, value)
    else:
        counts = {
            name: min(round(value * len(group)), group.removable) for name, group in ranking.items()
        }
    return {
        name: GroupSelection(count, _lowest_kept(ranking[name].values, count))
        for name, count in counts.items()
    }


def erk(layers: Mapping[str, tuple[tuple[int, ...], int]], sparsity: float) -> dict[str, int]:
    """How many weights each layer loses, {name: count}, from {name: (weight shape, living weights)}.

    Densities are ``epsilon * sum(shape) / prod(shape)`` and at most 1; one epsilon for all gives the total asked, exactly
    ``round(sparsity * n)``: what rounding leaves over goes to the largest remainders.
    """
    sizes = {name: count for name, (_, count) in layers.items()}
    factors = {name: sum(shape) / math.prod(shape) for name, (shape, _) in layers.items()}
    total, whole = sum(sizes.values()), set()
    removed = round(sparsity * total)
    while True:
        rest = {name: factors[name] * size for name, size in sizes.items() if name not in whole}
        epsilon = (
            (total - removed - sum(sizes[name] for name in whole)) / sum(rest.values())
            if rest
            else 0.0
        )
        full = {name for name in rest if epsilon * factors[name] >= 1 - 1e-12}
        if not full:
            break
        whole |= full
    exact = {
        name: 0.0 if name in whole else sizes[name] * (1 - max(0.0, epsilon) * factors[name])
        for name in sizes
    }
    counts = {name: min(sizes[name], math.floor(share + 1e-9)) for name, share in exact.items()}
    spare = sorted(
        (name for name in sizes if counts[name] < sizes[name]),
        key=lambda name: counts[name] - exact[name],
    )
    for name in spare[: removed - sum(counts.values())]:
        counts[name] += 1
    return counts


@rule(
    "threshold",
    label="Threshold",
    formula=r"\text{score} < t",
    source="strictly below",
    min_value=-math.inf,
    value_range=lambda ranking: (
        min((min(0.0, float(g.values[0])) for g in ranking.values()), default=0.0),
        max((_above(g.values) for g in ranking.values()), default=1.0),
    ),
    help="Removes every unit whose score is below this value, in whatever layer it is.",
)
def threshold(ranking: Ranking, value: float, scope: str) -> Selection:
    return _below(ranking, lambda group: value)


@rule(
    "relative",
    label="Relative threshold",
    formula=r"\text{score} < t \cdot \max_{\text{layer}} \text{score}",
    source="relative to the layer's largest score",
    value_range=lambda ranking: (0.0, 1.0),
    max_value=1.0,
    needs_nonnegative=True,
    help="Removes units whose score is below this share of the largest score of their layer.",
)
def relative(ranking: Ranking, value: float, scope: str) -> Selection:
    return _below(ranking, lambda group: value * float(group.values[-1]))


@rule(
    "sigma",
    label="Sigma",
    formula=r"|w| < k \cdot \sigma_{\text{layer}}",
    source="Han et al. 2015, quality factor",
    value_range=lambda ranking: (
        0.0,
        max((_above(g.values) / g.std for g in ranking.values() if g.std), default=1.0),
    ),
    criteria=("magnitude",),
    methods=("weight",),
    why_not="it compares weights with their standard deviation",
    help="Removes weights smaller than k standard deviations of their layer's weights.",
)
def sigma(ranking: Ranking, value: float, scope: str) -> Selection:
    return _below(ranking, lambda group: value * group.std)


def _standardised(ranking: Ranking) -> tuple[float, float]:
    """How many standard deviations the lowest and the highest scores lie below the mean of their group; a hair more for
    the lowest, so that rounding does not take it."""
    found = [
        ((mean - float(g.values[0])) / std, (mean - _above(g.values)) / std)
        for g in ranking.values()
        for mean, std in [g.moments]
        if std
    ]
    return max((low for low, _ in found), default=1.0) * (1 + 1e-9), min(
        (high for _, high in found), default=-1.0
    )


@rule(
    "mean_std",
    label="Mean and deviation",
    formula=r"\text{score} < \mu_{\text{layer}} - k \cdot \sigma_{\text{layer}}",
    source="mean and population standard deviation of the layer's scores",
    min_value=-math.inf,
    value_range=_standardised,
    help="Removes units that score more than k standard deviations below the mean score of their layer; a larger k "
    "removes fewer.",
)
def mean_std(ranking: Ranking, value: float, scope: str) -> Selection:
    return _below(ranking, lambda group: group.moments[0] - value * group.moments[1])


def _largest_ratio(ranking: Ranking) -> tuple[float, float]:
    """``n`` from which on nothing positive goes, and 1, where all below the largest score do."""
    tops = [
        (float(g.values[-1]), float(g.values[np.searchsorted(g.values, 0, "right")]))
        for g in ranking.values()
        if g.values[-1] > 0
    ]
    if not tops:
        return 1.0, 1.0
    return max(1.0, max(top for top, _ in tops) / min(low for _, low in tops)), 1.0


@rule(
    "max_over_n",
    label="Largest over n",
    formula=r"\text{score} < \max \text{score} \,/\, n",
    source="n is called the number to prune",
    min_value=1.0,
    value_range=_largest_ratio,
    scopes=("global", "layer"),
    needs_nonnegative=True,
    log_scale=True,
    help="Removes whatever scores below the largest score divided by n. It is called the number to prune, but it removes "
    "whatever lies below, not n: both numbers are shown.",
)
def max_over_n(ranking: Ranking, value: float, scope: str) -> Selection:
    if scope == "layer":
        return _below(ranking, lambda group: float(group.values[-1]) / value)
    largest = max((float(group.values[-1]) for group in ranking.values()), default=0.0)
    return _below(ranking, lambda group: largest / value)


@rule(
    "n_m",
    label="N:M",
    formula=r"\text{the } N \text{ highest of every } M \text{ consecutive weights stay}",
    source="Mishra et al. 2021",
    value_range=lambda ranking: (1.0, 0.0),
    methods=("weight",),
    why_not="it counts consecutive input weights of one output",
    patterns=("2:4", "4:8", "1:2", "3:4", "1:4", "2:8", "1:8"),
    help="Keeps the N highest of every M consecutive input weights of each output: a pattern that some hardware can skip. "
    "What is left over at the end of a row keeps up to N.",
)
def n_m(ranking: Ranking, value: str, scope: str) -> Selection:
    keep, of = map(int, value.split(":"))
    cuts = {}
    for name, group in ranking.items():
        rows = group.scores.reshape(group.shape[0], -1)  # (outputs, inputs)
        filled = np.pad(
            rows, ((0, 0), (0, -rows.shape[1] % of)), constant_values=-np.inf
        )  # what is added goes first
        order = filled.reshape(-1, of).argsort(axis=1, kind="stable")
        gone = np.zeros(order.shape, bool)
        np.put_along_axis(gone, order[:, : of - keep], True, axis=1)
        gone = gone.reshape(filled.shape)[:, : rows.shape[1]] & np.isfinite(rows)
        cuts[name] = GroupSelection(int(gone.sum()), removed_mask=gone.ravel())
    return cuts


def scopes_for(rule: str, method: str) -> list[str]:
    """The scopes that make a difference for a rule and a method; ``global`` stands for all that do not."""
    chosen = RULES[rule]
    if chosen.patterns:
        return ["global"]
    if method in ("layer", "feature"):  # one group: nothing competes with anything
        return ["global"]
    return [
        name
        for name in SCOPES
        if name in (chosen.scopes or ("global",))
        and (name != "erk" or method == "weight")
        or name == "custom"
    ]


@dataclass(frozen=True)
class SelectionSummary:
    """One choice seen from every side: thresholds and sparsity are views of one thing.

    ``removed`` of the ``units`` that take part; ``lowest`` and ``highest`` of the groups' thresholds, in the score and
    in ``sigmas``: standard deviations of the layer's weights, None where the scores are no weights.
    """

    removed: int
    units: int
    lowest: float
    highest: float
    sigmas: tuple[float, float] | None

    @property
    def percentile(self) -> float:
        return 100 * self.removed / self.units if self.units else 0.0


def summarize(ranking: Ranking, choice: Selection) -> SelectionSummary:
    thresholds = [cut.threshold for cut in choice.values()] or [math.nan]
    sigmas = [
        cut.threshold / ranking[name].std for name, cut in choice.items() if ranking[name].std
    ]
    return SelectionSummary(
        count_removed(choice),
        ranking.units,
        min(thresholds),
        max(thresholds),
        (min(sigmas), max(sigmas)) if sigmas else None,
    )


def count_removed(choice: Selection) -> int:
    return sum(cut.count for cut in choice.values())


def value_for_count(
    rule: Rule, ranking: Ranking, count: int, scope: str, pattern: str = "4:8"
) -> Value:
    """The rule's value, to float precision, that removes the most but at most ``count`` units.

    The number removed never falls on the way from nothing to everything, so this is a bisection of searches. Patterns are
    tried that count in as many weights as ``pattern``.
    """
    if rule.patterns:
        of = int(pattern.partition(":")[2])
        tried = [f"{keep}:{of}" for keep in range(of + 1)]  # from everything to nothing
        return next(
            value for value in tried if count_removed(rule.select(ranking, value, scope)) <= count
        )
    removes = lambda share: count_removed(
        rule.select(ranking, rule.interpolate(ranking, share), scope)
    )  # noqa: E731
    low, high = 0.0, 1.0
    if removes(high) <= count:
        return rule.interpolate(ranking, high)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if removes(middle) <= count else (low, middle)
    return rule.interpolate(ranking, low)
