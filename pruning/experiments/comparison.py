"""Several recipes side by side, at the same budget."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pruning.cost.macs import cost
from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.engine import prune as experiment
from pruning.engine.effective_cost import Left, left
from pruning.engine.prune import Outcome
from pruning.experiments import strength as curves
from pruning.inference.classify import tallies
from pruning.methods.criteria import CRITERIA
from pruning.methods.rules import RULES
from pruning.methods.units import METHODS
from pruning.recipe.recipe import CALIBRATION, Recipe, Step, variants_for
from pruning.runtime.registry import Registry

BUDGETS: Registry[str] = Registry("budget")
BUDGETS.add(
    "parameters", "Equal effective parameters: those left that still make a difference, of all"
)
BUDGETS.add(
    "macs",
    "Equal effective MACs: multiply-accumulates with weights that still make a difference, of all",
)
BUDGETS.add(
    "accuracy",
    "Equal accuracy: the highest sparsity that keeps this accuracy on the validation images",
)
BUDGETS.add("own", "Each column its own")
EXACT = 0.0005  # a search for a budget ends there
NEAR = 0.01  # a budget is met where what is left differs by at most this share of the dense network, or a tenth of itself


@dataclass(frozen=True)
class Budget:
    """``share``: of the dense network's parameters or MACs, or the accuracy, that is to be left; nothing for ``own``.

    Raises
    ------
    ValueError : an unknown kind, or a share that is none.
    """

    kind: str
    share: float = 0.5

    def __post_init__(self):
        BUDGETS[self.kind]
        if (
            not isinstance(self.share, int | float)
            or isinstance(self.share, bool)
            or not 0 <= self.share <= 1
        ):
            raise ValueError(f"{self.kind} must be between 0 and 1, not {str(self.share)[:30]}")

    @classmethod
    def read(cls, text: str) -> "Budget":
        """Of ``macs=0.5``."""
        kind, equals, share = text.partition("=")
        if kind == "own" and not equals:
            return cls("own")
        try:
            return cls(kind.strip(), float(share))
        except ValueError as error:
            known = (
                str(error)
                if "must be between" in str(error)
                else "like macs=0.5, parameters=0.25, accuracy=0.98 or own"
            )
            raise ValueError(
                f"budget {text[:40]!r}: {known if 'must' in known else 'must be ' + known}"
            ) from None


@dataclass(frozen=True)
class Column:
    """One recipe at the budget: its ``recipe`` as it was set, or ``problem``: why the budget cannot be met, and then the
    recipe that comes nearest."""

    recipe: Recipe
    left: Left
    problem: str = ""


def matched(
    recipe: Recipe, budget: Budget, report: Callable[[float], None] = lambda share: None
) -> Column:
    """The recipe with its last step as strong as the budget asks, by bisection."""
    experiment.ranking(recipe, lambda share: report(0.0))
    if budget.kind == "own":
        return Column(recipe, left(recipe))
    if recipe.scope == "custom":  # one value must move them all
        column = matched(replace(recipe, scope="layer", values=()), budget, report)
        return replace(
            column,
            problem=f"All layers lose the same share here, not each its own. {column.problem}".strip(),
        )
    if budget.kind == "accuracy":
        return _keeping(recipe, budget.share, report)
    dense = cost(recipe.network, recipe.dataset)
    whole = dense.parameters if budget.kind == "parameters" else dense.macs
    remains = lambda point: getattr(left(point), budget.kind) / whole  # noqa: E731
    least, most = curves.at_sparsity(recipe, 0.0), curves.at_sparsity(recipe, 1.0)
    words = "effective parameters" if budget.kind == "parameters" else "effective MACs"
    near = min(NEAR, budget.share / 10)
    if remains(least) < budget.share - near:
        return Column(
            least, left(least), f"The steps before leave only {remains(least):.2%} of the {words}."
        )
    if remains(least) == remains(most) > budget.share + near:
        return Column(
            least,
            left(least),
            f"Nothing that it removes changes the {words}: {budget.share:.2%} is out of reach.",
        )
    if remains(most) > budget.share + near:
        return Column(
            most,
            left(most),
            f"At least {remains(most):.2%} of the {words} remain: {budget.share:.2%} is out of reach.",
        )
    best = _searched(recipe, budget.share, remains, (least, most), report)
    problem = f"Its steps are coarse: the nearest is {remains(best):.2%} of the {words}."
    return Column(best, left(best), problem if abs(remains(best) - budget.share) > near else "")


def _searched(
    recipe: Recipe,
    share: float,
    remains: Callable[[Recipe], float],
    ends: tuple[Recipe, Recipe],
    report: Callable[[float], None],
) -> Recipe:
    """The recipe that leaves about this share: between its neighbours of one unit more and one less.

    Steps by interpolation and by halves take turns: what is left falls with the sparsity, but not in a straight line.
    """
    low, high, units = 0.0, 1.0, experiment.ranking(recipe).units
    at_low, at_high = map(remains, ends)
    best, step, most = (
        min(ends, key=lambda point: abs(remains(point) - share)),
        0,
        2 * math.ceil(math.log2(max(2, units))),
    )
    while (
        abs(remains(best) - share) > min(EXACT, share / 100)
        and high - low > 0.5 / units
        and step < most
    ):
        along = (at_low - share) / max(at_low - at_high, 1e-12) if step % 2 == 0 else 0.5
        middle = low + (high - low) * min(0.95, max(0.05, along))
        point = curves.at_sparsity(recipe, middle)
        if abs(remains(point) - share) < abs(remains(best) - share):
            best = point
        if remains(point) > share:
            low, at_low = middle, remains(point)
        else:
            high, at_high = middle, remains(point)
        step += 1
        report(step / most)
    return best


def _keeping(recipe: Recipe, accuracy: float, report: Callable[[float], None]) -> Column:
    """The highest sparsity, of those that a bisection meets, that keeps the accuracy on the validation images."""
    dense = curves.at_sparsity(recipe, 0.0)
    reached = validation_accuracy(dense)
    if reached < accuracy:
        subject = "The steps before alone reach" if recipe.earlier else "Nothing removed reaches"
        return Column(
            dense,
            left(dense),
            f"{subject} {reached:.2%} on the validation images, not {accuracy:.2%}.",
        )
    everything = curves.at_sparsity(recipe, 1.0)
    if validation_accuracy(everything) >= accuracy:
        return Column(everything, left(everything))
    low, high, best = 0.0, 1.0, dense
    for step in range(9):
        middle = (low + high) / 2
        point = curves.at_sparsity(recipe, middle)
        if (
            validation_accuracy(point, report=lambda share, step=step: report((step + share) / 9))
            >= accuracy
        ):
            low, best = middle, point
        else:
            high = middle
    return Column(best, left(best))


def validation_accuracy(
    recipe: Recipe, report: Callable[[float], None] = lambda share: None
) -> float:
    """Correct / total on the validation images: for choosing, where the test images must not be looked at."""
    state, images = experiment.pruned(recipe), datasets.load(recipe.dataset, "validation")
    correct = done = 0
    for tally in tallies(
        state.model, state.masks.apply(state.model), images, DATASETS[recipe.dataset]
    ):
        correct, done = correct + tally.correct, done + tally.images
        report(done / len(images))
    return correct / len(images)


def class_accuracy(outcome: Outcome) -> np.ndarray:
    """Correct / total of each class, of the test images that were classified, (classes,)."""
    labels = datasets.load(outcome.recipe.dataset, "test").labels[: outcome.accuracy.images]
    totals = np.bincount(labels.numpy(), minlength=len(outcome.class_correct))
    return np.array(outcome.class_correct) / np.maximum(1, totals)


@dataclass(frozen=True)
class Progress:
    """Of one column: how far matching is, then the column, then its outcome so far."""

    share: float
    column: Column | None = None
    outcome: Outcome | None = None


def measure(recipe: Recipe, budget: Budget, report: Callable[[Progress], None]) -> Progress:
    """Score, match and measure one column; ``report`` is told how far it is."""
    for steps in range(1, len(recipe.steps) + 1):
        experiment.ranking(
            recipe.with_steps(recipe.steps[:steps]), lambda share: report(Progress(share / 2))
        )
    column = matched(recipe, budget, lambda share: report(Progress(0.5 + share / 2)))
    outcome = experiment.run(
        column.recipe.key, lambda partial: report(Progress(1.0, column, partial))
    )
    return Progress(1.0, column, outcome)


def check(recipes: Sequence[Recipe]) -> None:
    """Raise ValueError unless there is at least one recipe, and all are of one network and dataset."""
    if not recipes:
        raise ValueError("there is nothing to compare")
    if len({(recipe.network, recipe.dataset) for recipe in recipes}) > 1:
        raise ValueError(
            "only recipes of one network and one dataset can be compared: "
            + ", ".join(f"{recipe.network} on {recipe.dataset}" for recipe in recipes)
        )


@dataclass(frozen=True, eq=False)
class Comparison:
    """Columns at a budget, each with its outcome, in the order of the recipes."""

    budget: Budget
    columns: tuple[Column, ...]
    outcomes: tuple[Outcome, ...]

    @classmethod
    def of(cls, recipes: Sequence[Recipe], budget: Budget) -> "Comparison":
        """Match and measure them all.

        Raises
        ------
        ValueError : as `check`.
        """
        check(recipes)
        columns = tuple(matched(recipe, budget) for recipe in recipes)
        return cls(budget, columns, tuple(experiment.run(column.recipe) for column in columns))

    def table(self) -> pd.DataFrame:
        """A row per column of the comparison."""
        rows = []
        patterns = any(isinstance(column.recipe.value, str) for column in self.columns)
        for number, (column, outcome) in enumerate(zip(self.columns, self.outcomes), start=1):
            low, high = outcome.accuracy.interval
            rows.append(
                {
                    "column": number,
                    "name": name_of(column.recipe),
                    "value": str(column.recipe.value) if patterns else column.recipe.value,
                    "accuracy": outcome.accuracy.value,
                    "accuracy_low": low,
                    "accuracy_high": high,
                    "images": outcome.accuracy.images,
                    "sparsity": outcome.sparsity,
                    "effective_parameters": column.left.parameters,
                    "effective_macs": column.left.macs,
                    "effective_compression": outcome.dense.parameters
                    / max(1, column.left.parameters),
                    "theoretical_speed_up": outcome.dense.macs / max(1, column.left.macs),
                    "problem": column.problem,
                }
            )
        return pd.DataFrame(rows)

    def to_dict(self) -> dict:
        dense = self.outcomes[0].dense
        columns = [
            {
                "recipe": column.recipe.to_dict(),
                **{k: v for k, v in row.items() if k != "problem"},
                "problem": column.problem or None,
            }
            for column, row in zip(self.columns, self.table().to_dict("records"))
        ]
        return {
            "budget": {
                "kind": self.budget.kind,
                "share": None if self.budget.kind == "own" else self.budget.share,
            },
            "dense": {
                "accuracy": self.outcomes[0].dense_accuracy,
                "parameters": dense.parameters,
                "macs": dense.macs,
            },
            "columns": columns,
        }

    def as_text(self) -> str:
        shown = self.table()[
            ["name", "accuracy", "sparsity", "effective_parameters", "effective_macs"]
        ]
        return "\n".join(
            [
                shown.to_string(
                    index=False,
                    formatters={"accuracy": "{:.2%}".format, "sparsity": "{:.2%}".format},
                ),
                *(
                    f"{name_of(column.recipe)}: {column.problem}"
                    for column in self.columns
                    if column.problem
                ),
            ]
        )


def name_of(recipe: Recipe, seed: bool = True) -> str:
    """A recipe in a few words: what is not as usual is named; of the last step not how much it removes."""
    names = [
        _name_of(step, recipe, seed, last=i == len(recipe.earlier))
        for i, step in enumerate(recipe.steps)
    ]
    looks = recipe.key.calibration != CALIBRATION
    return " + ".join(names) + (f", {recipe.calibration:,} calibration images" if looks else "")


def _name_of(step: Step, recipe: Recipe, seed: bool, last: bool) -> str:
    measures, groupings = (
        variants_for(step.method, step.criterion),
        list(METHODS[step.method].groupings),
    )
    more = (
        [step.measure.upper() if len(step.measure) == 2 else step.measure]
        if step.measure not in ("", *measures[:1])
        else []
    )
    more += [step.grouping] if step.grouping not in ("", *groupings[:1]) else []
    more += [f"seed {recipe.seed}"] if seed and CRITERIA[step.criterion].is_random else []
    more += (
        [{"layer": "each layer alike", "erk": "ERK", "custom": "each layer its own"}[step.scope]]
        if step.scope != "global"
        else []
    )
    pattern = isinstance(step.value, str)
    more += (
        [RULES[step.rule].label + (f" {step.value}" if pattern else "")]
        if step.rule != "sparsity"
        else []
    )
    more += [] if last or pattern or step.scope == "custom" else [f"{step.value:.4g}"]
    more += [f"only {', '.join(step.layers)}"] if step.layers else []
    return ", ".join([f"{METHODS[step.method].label} by {CRITERIA[step.criterion].label}", *more])


def short_names(recipes: Sequence[Recipe]) -> list[str]:
    """For legends: number and method, with the criterion where the methods are not all different."""
    methods = [METHODS[recipe.method].label for recipe in recipes]
    alike = len(set(methods)) < len(methods)
    return [
        f"{i}. {method}" + (f", {CRITERIA[recipe.criterion].label}" if alike else "")
        for i, (method, recipe) in enumerate(zip(methods, recipes), start=1)
    ]
