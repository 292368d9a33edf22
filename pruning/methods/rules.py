"""Rules: how scores and a value become a selection.

Each rule is a search in sorted scores. None is a pass over the weights, except for patterns.
"""

import math
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pruning.methods.erk import erk_counts
from pruning.methods.ranking import Ranking, SortedScores
from pruning.methods.selection import GroupSelection, Selection, Value
from pruning.runtime.registry import Registry, register

PATTERN = re.compile(r"([0-9]{1,2}):([0-9]{1,2})")
MAX_MESSAGE_VALUE = 30  # characters of a refused value in a message

RuleFunction = Callable[[Ranking, Any, str], Selection]
ValueRange = Callable[[Ranking], tuple[float, float]]


@dataclass(frozen=True)
class Rule:
    """A way to select units by a value, such as a sparsity or a threshold.

    Attributes
    ----------
    name : str
        Key in ``RULES``.
    function : callable
        ``function(ranking, value, scope)`` returns the selection.
    value_range : callable
        ``value_range(ranking)`` returns the values that remove no unit and the most units; the
        count is monotone between them.
    label, formula, source, help : str
        Label, LaTeX formula, reference and help text.
    scopes : tuple of str
        Scopes that differ for this rule, apart from ``custom``. Empty: it treats each group by
        itself, whatever the scope.
    criteria, methods : tuple of str
        Criteria and methods that the rule is defined for. Empty: all of them.
    why_not : str
        Reason why it is not defined for the others.
    needs_nonnegative : bool
        Whether it is defined only for scores that cannot be negative.
    value_is_score : bool
        Whether the value is itself a score, so that it cannot be negative where scores cannot.
    value_is_share : bool
        Whether the value is the share of the units that is removed.
    log_scale : bool
        Whether to interpolate values on a log scale.
    min_value, max_value : float
        Bounds of the value.
    patterns : tuple of str
        Usual values of a rule whose values are patterns and not numbers.
    """

    name: str
    function: RuleFunction
    value_range: ValueRange
    label: str
    formula: str
    source: str
    help: str
    scopes: tuple[str, ...] = ()
    criteria: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    why_not: str = ""
    needs_nonnegative: bool = False
    value_is_score: bool = False
    value_is_share: bool = False
    log_scale: bool = False
    min_value: float = 0.0
    max_value: float = math.inf
    patterns: tuple[str, ...] = ()

    def check(self, value: object, can_be_negative: bool = True) -> None:
        """Check that a value is valid for this rule.

        Parameters
        ----------
        value : object
            Number, or pattern such as "2:4".
        can_be_negative : bool, default True
            Whether scores can be negative. If not, a value that is a score cannot be, either.

        Raises
        ------
        ValueError
            If the value has a wrong type or is out of range.
        """
        if self.patterns:
            self._check_pattern(value)
        else:
            self._check_number(value, can_be_negative)

    def _check_pattern(self, value: object) -> None:
        match = PATTERN.fullmatch(value) if isinstance(value, str) else None
        kept, consecutive = map(int, match.groups()) if match else (0, 0)
        if consecutive == 0 or kept > consecutive:
            examples = ", ".join(self.patterns[:3])
            raise ValueError(f"{self.name} must be like {examples}, not {_shortened(repr(value))}")

    def _check_number(self, value: object, can_be_negative: bool) -> None:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number:
            valid = self._valid_numbers()
            if not valid.startswith("a number"):
                valid = f"a number {valid}"
            raise ValueError(f"{self.name} must be {valid}, not {_shortened(repr(value))}")

        number: Any = value
        written = _shortened(str(number))
        if abs(number) == math.inf:
            raise ValueError(f"{self.name} must be a finite number, not {written}")
        if not self.min_value <= number <= self.max_value:  # also refuses NaN
            raise ValueError(f"{self.name} must be {self._valid_numbers()}, not {written}")
        if abs(number) > sys.float_info.max:  # an integer beyond the floats
            raise ValueError(f"{self.name} must be a number below 1.8e+308, not {written}")
        if self.value_is_score and number < 0 and not can_be_negative:
            raise ValueError(
                f"{self.name} must be a number, 0 or more, not {written}, "
                "because these scores cannot be negative"
            )

    def _valid_numbers(self) -> str:
        if self.min_value == -math.inf:
            return "a number"
        if self.max_value == math.inf:
            return f"a number, {self.min_value:g} or more"
        return f"between {self.min_value:g} and {self.max_value:g}"

    def canonical(self, value: Value) -> Value:
        """Return a valid value as it is usually written: 02:04 is 2:4, and 1 is 1.0.

        Parameters
        ----------
        value : float or str
            Value of the rule.

        Returns
        -------
        float or str
            The same value.
        """
        if self.patterns:
            return ":".join(str(int(number)) for number in str(value).split(":"))
        return float(value)

    def select(
        self, ranking: Ranking, value: Value, scope: str, values: Mapping[str, float] = {}
    ) -> Selection:
        """Select the units to remove.

        Parameters
        ----------
        ranking : Ranking
            Sorted scores of the units that take part.
        value : float or str
            Value of the rule.
        scope : str
            Key in ``SCOPES``.
        values : mapping of str to float, optional
            With the scope ``custom``: values of single groups, which replace `value`.

        Returns
        -------
        Selection
            Removed units by group.

        Raises
        ------
        ValueError
            If the value is not valid.
        """
        self.check(value)
        if scope != "custom":
            return self.function(ranking, value, scope)
        selection: Selection = {}
        for name in ranking:
            group_value = values.get(name, value)
            selection |= self.function(ranking.restrict((name,)), group_value, "layer")
        return selection

    def interpolate(self, ranking: Ranking, share: float) -> float:
        """Interpolate between the values that remove no unit and the most units.

        Parameters
        ----------
        ranking : Ranking
            Sorted scores of the units that take part.
        share : float
            Between 0, no unit, and 1, the most units.

        Returns
        -------
        float
            Value; exact at both ends.
        """
        none, most = self.value_range(ranking)
        if self.log_scale:
            return none ** (1 - share) * most**share
        return none * (1 - share) + most * share


RULES: Registry[Rule] = Registry("rule")

SCOPES: Registry[str] = Registry("scope")
SCOPES.add("global", "All layers compete with each other")
SCOPES.add("layer", "The same share is removed from each layer")
SCOPES.add(
    "erk",
    "Each layer keeps a share in proportion to (its sizes added) / (its sizes multiplied), so that "
    "small layers keep more (Erdős–Rényi kernel densities, Mocanu et al. 2018, "  # noqa: RUF001
    "Evci et al. 2020)",
)
SCOPES.add("custom", "Each layer has a value of its own")


def rule(name: str, **info: Any) -> Callable[[RuleFunction], RuleFunction]:
    """Register the decorated function as a rule.

    Parameters
    ----------
    name : str
        Key in ``RULES``.
    **info
        Further fields of `Rule`.

    Returns
    -------
    callable
        Decorator that returns the function unchanged.
    """
    return register(RULES, Rule, name, **info)


def zero_to_one(ranking: Ranking) -> tuple[float, float]:
    """Return the value range of a share.

    Parameters
    ----------
    ranking : Ranking
        Not used.

    Returns
    -------
    tuple of float
        0 and 1.
    """
    return 0.0, 1.0


# ---------------------------------------------------------------------------------------- rules


@rule(
    "sparsity",
    label="Sparsity",
    formula=r"\text{the } \mathrm{round}(s\,n) \text{ lowest scores}",
    source="exact count; ties go by index",
    value_range=zero_to_one,
    max_value=1.0,
    value_is_share=True,
    scopes=("global", "layer", "erk"),
    help="Removes exactly this share of the units that take part, the lowest scores first.",
)
def sparsity(ranking: Ranking, value: float, scope: str) -> Selection:
    """Select an exact number of units, over all groups or in each group."""
    if scope == "global":
        count = min(round(value * ranking.units), ranking.removable)
        threshold = _lowest_kept_of_all(ranking, count)
        counts = ranking.lowest_counts(count)
        return {name: GroupSelection(part, threshold) for name, part in counts.items()}
    if scope == "erk":
        sizes = {name: (group.shape, len(group)) for name, group in ranking.items()}
        counts = erk_counts(sizes, value)
    else:
        counts = {
            name: min(round(value * len(group)), group.removable) for name, group in ranking.items()
        }
    selection = {}
    for name, count in counts.items():
        threshold = _lowest_kept(ranking[name].values, count)
        selection[name] = GroupSelection(count, threshold)
    return selection


def _threshold_range(ranking: Ranking) -> tuple[float, float]:
    lowest = [min(0.0, float(group.values[0])) for group in ranking.values()]
    above_highest = [_next_above(group.values) for group in ranking.values()]
    return min(lowest, default=0.0), max(above_highest, default=1.0)


@rule(
    "threshold",
    label="Threshold",
    formula=r"\text{score} < t",
    source="strictly below",
    min_value=-math.inf,
    value_is_score=True,
    value_range=_threshold_range,
    help="Removes every unit whose score is below this value, in any layer.",
)
def threshold(ranking: Ranking, value: float, scope: str) -> Selection:
    """Select all scores below one threshold."""
    return _select_below(ranking, lambda group: value)


@rule(
    "relative",
    label="Relative threshold",
    formula=r"\text{score} < t \cdot \max_{\text{layer}} \text{score}",
    source="relative to the layer's largest score",
    value_range=zero_to_one,
    max_value=1.0,
    needs_nonnegative=True,
    help="Removes units whose score is below this share of the largest score of their layer.",
)
def relative(ranking: Ranking, value: float, scope: str) -> Selection:
    """Select scores below a share of the largest score of their group."""
    return _select_below(ranking, lambda group: value * float(group.values[-1]))


def _sigma_range(ranking: Ranking) -> tuple[float, float]:
    sigmas = [_next_above(group.values) / group.std for group in ranking.values() if group.std]
    return 0.0, max(sigmas, default=1.0)


@rule(
    "sigma",
    label="Sigma",
    formula=r"|w| < k \cdot \sigma_{\text{layer}}",
    source="Han et al. 2015, quality factor",
    value_range=_sigma_range,
    criteria=("magnitude",),
    methods=("weight",),
    why_not="it compares weights with their standard deviation",
    help="Removes weights smaller than k standard deviations of their layer's weights.",
)
def sigma(ranking: Ranking, value: float, scope: str) -> Selection:
    """Select magnitudes below a multiple of the standard deviation of their group's weights."""
    return _select_below(ranking, lambda group: value * group.std)


def _mean_std_range(ranking: Ranking) -> tuple[float, float]:
    """Largest and smallest deviation from the mean, in standard deviations below it.

    The first is slightly enlarged, so that rounding does not remove the lowest score.
    """
    of_lowest, of_highest = [], []
    for group in ranking.values():
        mean, std = group.moments
        if std:
            of_lowest.append((mean - float(group.values[0])) / std)
            of_highest.append((mean - _next_above(group.values)) / std)
    return max(of_lowest, default=1.0) * (1 + 1e-9), min(of_highest, default=-1.0)


@rule(
    "mean_std",
    label="Mean and deviation",
    formula=r"\text{score} < \mu_{\text{layer}} - k \cdot \sigma_{\text{layer}}",
    source="mean and population standard deviation of the layer's scores",
    min_value=-math.inf,
    value_range=_mean_std_range,
    help="Removes units that score more than k standard deviations below the mean score of their "
    "layer; a larger k removes fewer.",
)
def mean_std(ranking: Ranking, value: float, scope: str) -> Selection:
    """Select scores more than a multiple of the standard deviation below their group's mean."""
    return _select_below(ranking, lambda group: group.moments[0] - value * group.moments[1])


def _max_over_n_range(ranking: Ranking) -> tuple[float, float]:
    """``n`` from which on no positive score is removed, and 1: all below the largest score are."""
    largest, smallest_positive = [], []
    for group in ranking.values():
        if group.values[-1] > 0:
            first_positive = np.searchsorted(group.values, 0, "right")
            largest.append(float(group.values[-1]))
            smallest_positive.append(float(group.values[first_positive]))
    if not largest:
        return 1.0, 1.0
    return max(1.0, max(largest) / min(smallest_positive)), 1.0


@rule(
    "max_over_n",
    label="Largest over n",
    formula=r"\text{score} < \max \text{score} \,/\, n",
    source="n is called the number to prune",
    min_value=1.0,
    value_range=_max_over_n_range,
    scopes=("global", "layer"),
    needs_nonnegative=True,
    log_scale=True,
    help="Removes every unit that scores below the largest score divided by n. It is called the "
    "number to prune, but it removes all lower scores, not n of them: both numbers are shown.",
)
def max_over_n(ranking: Ranking, value: float, scope: str) -> Selection:
    """Select scores below the largest score, of all groups or of their own, divided by n."""
    if scope == "layer":
        return _select_below(ranking, lambda group: float(group.values[-1]) / value)
    largest = max((float(group.values[-1]) for group in ranking.values()), default=0.0)
    return _select_below(ranking, lambda group: largest / value)


def _pattern_range(ranking: Ranking) -> tuple[float, float]:
    """Share of the weights that a pattern keeps: all, and none."""
    return 1.0, 0.0


@rule(
    "n_m",
    label="N:M",
    formula=r"\text{the } N \text{ highest of every } M \text{ consecutive weights stay}",
    source="Mishra et al. 2021",
    value_range=_pattern_range,
    methods=("weight",),
    why_not="it counts consecutive input weights of one output",
    patterns=("2:4", "4:8", "1:2", "3:4", "1:4", "2:8", "1:8"),
    help="Keeps the N highest of every M consecutive input weights of each output: a pattern that "
    "some hardware can skip. An incomplete block at the end of a row keeps up to N.",
)
def n_m(ranking: Ranking, value: str, scope: str) -> Selection:
    """Select all but the N highest of every M consecutive scores in each row."""
    kept, consecutive = map(int, value.split(":"))
    selection = {}
    for name, group in ranking.items():
        rows = group.scores.reshape(group.shape[0], -1)  # (outputs, inputs)
        removed = _all_but_highest(rows, kept, consecutive)
        selection[name] = GroupSelection(int(removed.sum()), removed_mask=removed.ravel())
    return selection


# -------------------------------------------------------------------------------------- helpers


def _select_below(ranking: Ranking, threshold_of: Callable[[SortedScores], float]) -> Selection:
    """Select the scores of each group below a threshold."""
    selection = {}
    for name, group in ranking.items():
        limit = threshold_of(group)
        selection[name] = GroupSelection(group.count_below(limit), limit)
    return selection


def _next_above(values: np.ndarray) -> float:
    """Return the next float32 above the largest of some sorted scores."""
    return float(np.nextafter(values[-1], np.float32(np.inf)))


def _lowest_kept(values: np.ndarray, count: int) -> float:
    """Return the lowest of the sorted scores that remains, or a number above all of them."""
    if count < len(values):
        return float(values[count])
    return _next_above(values) if len(values) else 0.0


def _lowest_kept_of_all(ranking: Ranking, count: int) -> float:
    """Return the same for the scores of all groups together."""
    if count < ranking.removable:
        return float(ranking.score_at(count))
    if not count:
        return 0.0
    return _next_above(np.array([ranking.score_at(count - 1)]))


def _all_but_highest(rows: np.ndarray, kept: int, consecutive: int) -> np.ndarray:
    """Mark all but the highest scores of each block of consecutive columns.

    ``rows`` is (outputs, inputs), minus infinity for removed units, which are never marked.
    """
    padding = -rows.shape[1] % consecutive
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=-np.inf)
    order = padded.reshape(-1, consecutive).argsort(axis=1, kind="stable")
    marked = np.zeros(order.shape, bool)
    np.put_along_axis(marked, order[:, : consecutive - kept], True, axis=1)
    marked = marked.reshape(padded.shape)[:, : rows.shape[1]]
    return marked & np.isfinite(rows)


def _shortened(text: str) -> str:
    return text[:MAX_MESSAGE_VALUE]
