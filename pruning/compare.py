"""Several recipes side by side, at the same budget."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from cachetools import LRUCache, cached

from pruning import curves, datasets, experiment
from pruning.cost import cost, measured
from pruning.criteria import CRITERIA
from pruning.datasets import DATASETS
from pruning.evaluation import count_correct
from pruning.experiment import Outcome, Pruned
from pruning.masks import Masks
from pruning.networks import prunable
from pruning.recipe import Recipe
from pruning.registry import Registry
from pruning.structure import spaces
from pruning.units import METHODS

BUDGETS: Registry[str] = Registry("budget")
BUDGETS.add("parameters", "Equal parameters left: those that still make a difference, of all")
BUDGETS.add("macs", "Equal MACs left: multiply-accumulates with weights that still make a difference, of all")
BUDGETS.add("accuracy", "Equal accuracy: the highest sparsity that keeps this accuracy on the validation images")
BUDGETS.add("own", "Each column its own")
NEAR = 0.01  # a budget is met where what is left differs by at most this share of the dense network


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
        if not isinstance(self.share, int | float) or isinstance(self.share, bool) or not 0 <= self.share <= 1:
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
            known = str(error) if "must be between" in str(error) else "like macs=0.5, parameters=0.25, accuracy=0.98 or own"
            raise ValueError(f"budget {text[:40]!r}: {known if 'must' in known else 'must be ' + known}") from None


@dataclass(frozen=True)
class Left:
    """What still makes a difference, as counts: weights that read a channel which says nothing do not."""

    parameters: int
    macs: int


@dataclass(frozen=True)
class Column:
    """One recipe at the budget: its ``recipe`` as it was set, or ``problem``: why the budget cannot be met, and then the
    recipe that comes nearest."""

    recipe: Recipe
    left: Left
    problem: str = ""


def effective(state: Pruned, channels: int, size: int) -> Masks:
    """The masks, and with them the weights that read channels of which every parameter is masked."""
    kept = dict(state.masks)
    for space in spaces(state.model, channels, size):
        if not space.producers or not space.consumers:
            continue
        parameters = [(f"{name}.{key}", value) for name in (*space.producers, *space.norms)
                      for key, value in state.model.get_submodule(name).named_parameters()]
        if not all(name in kept for name, _ in parameters):
            continue
        alive = np.any([kept[name].flatten(1).any(1).numpy() if value.ndim > 1 else kept[name].numpy()
                        for name, value in parameters], 0)
        for name, spread in space.consumers:
            key = f"{name}.weight"
            mask = kept[key].clone() if key in kept else state.model.get_parameter(key).new_ones(
                state.model.get_parameter(key).shape).bool()
            mask[:, np.repeat(~alive, spread)] = False
            kept[key] = mask
    return Masks(kept)


@cached(LRUCache(maxsize=4096), key=lambda recipe: replace(recipe.key, images=None), lock=threading.Lock())
def left(recipe: Recipe) -> Left:
    """Parameters and MACs that still make a difference; what sparse kernels and files could save at best."""
    data, state = DATASETS[recipe.dataset], experiment.pruned(recipe)
    masks = effective(state, data.channels, data.size)
    layers = (measured(state.model, recipe.dataset) if state.gone else cost(recipe.network, recipe.dataset)).layers
    kept = {name: int(mask.sum()) for name, mask in masks.whole(state.model).items()}
    return Left(masks.left(state.model), sum(layer.macs * kept[f"{layer.name}.weight"] // layer.weights for layer in layers))


def matched(recipe: Recipe, budget: Budget, report: Callable[[float], None] = lambda share: None) -> Column:
    """The recipe with its last step as strong as the budget asks, by bisection."""
    if budget.kind == "own":
        return Column(recipe, left(recipe))
    if recipe.scope == "custom":
        recipe = replace(recipe, scope="layer", values=())
    if budget.kind == "accuracy":
        return _keeping(recipe, budget.share, report)
    dense = cost(recipe.network, recipe.dataset)
    whole = dense.parameters if budget.kind == "parameters" else dense.macs
    remains = lambda point: getattr(left(point), budget.kind) / whole  # noqa: E731
    least, most = curves.at_sparsity(recipe, 0.0), curves.at_sparsity(recipe, 1.0)
    words = "parameters" if budget.kind == "parameters" else "MACs"
    if remains(least) < budget.share - NEAR:
        return Column(least, left(least), f"The steps before leave only {remains(least):.1%} of the {words}.")
    if remains(most) > budget.share + NEAR:
        return Column(most, left(most), f"At least {remains(most):.1%} of the {words} remain: {budget.share:.1%} is out of reach.")
    low, high = 0.0, 1.0
    best = min((least, most), key=lambda point: abs(remains(point) - budget.share))
    for step in range(11):
        middle = (low + high) / 2
        point = curves.at_sparsity(recipe, middle)
        if abs(remains(point) - budget.share) < abs(remains(best) - budget.share):
            best = point
        low, high = (middle, high) if remains(point) > budget.share else (low, middle)
        report((step + 1) / 11)
    gap = abs(remains(best) - budget.share)
    problem = f"Its steps are coarse: the nearest is {remains(best):.1%} of the {words}." if gap > NEAR else ""
    return Column(best, left(best), problem)


def _keeping(recipe: Recipe, accuracy: float, report: Callable[[float], None]) -> Column:
    """The highest sparsity, of those that a bisection meets, that keeps the accuracy on the validation images."""
    dense = curves.at_sparsity(recipe, 0.0)
    reached = validation_accuracy(dense)
    if reached < accuracy:
        return Column(dense, left(dense), f"Nothing removed reaches {reached:.2%} on the validation images, not {accuracy:.2%}.")
    low, high, best = 0.0, 1.0, dense
    for step in range(9):
        middle = (low + high) / 2
        point = curves.at_sparsity(recipe, middle)
        if validation_accuracy(point, report=lambda share, step=step: report((step + share) / 9)) >= accuracy:
            low, best = middle, point
        else:
            high = middle
    return Column(best, left(best))


def validation_accuracy(recipe: Recipe, report: Callable[[float], None] = lambda share: None) -> float:
    """Correct / total on the validation images: for choosing, where the test images must not be looked at."""
    state, images = experiment.pruned(recipe), datasets.load(recipe.dataset, "validation")
    parts = count_correct(state.model, state.masks.apply(state.model), images, DATASETS[recipe.dataset])
    correct = 0
    for done, right in enumerate(parts, start=1):
        correct += int(right.sum())
        report(min(1.0, 250 * done / len(images)))
    return correct / len(images)


def overlaps(recipes: Sequence[Recipe]) -> np.ndarray:
    """Jaccard overlap of the weights that recipes of one network remove, (n, n); NaN where both remove none."""
    gone = np.stack([removed_weights(recipe) for recipe in recipes]).astype(np.float32)  # (n, weights)
    both = gone @ gone.T
    either = gone.sum(1)[:, None] + gone.sum(1) - both
    return np.where(either > 0, both / np.maximum(either, 1), np.nan)


def removed_weights(recipe: Recipe) -> np.ndarray:
    """Which prunable weights of the dense network make no difference any more, (weights,) bool."""
    data, state = DATASETS[recipe.dataset], experiment.pruned(recipe)
    masks = effective(state, data.channels, data.size)
    return np.concatenate([
        np.ones(layer.weight.numel(), bool) if name in state.gone else _gone(masks, state, name, layer.weight.shape)
        for name, layer in prunable(experiment.model(recipe)).items()])


def _gone(masks: Masks, state: Pruned, name: str, shape) -> np.ndarray:
    mask = masks.get(f"{name}.weight")
    if mask is None or mask.shape != shape:  # a refitted layer has other weights: none of the old ones is left
        return np.full(shape.numel(), mask is not None or state.model.get_submodule(name).weight.shape != shape)
    return (~mask).numpy().ravel()


def class_accuracy(outcome: Outcome) -> np.ndarray:
    """Correct / total of each class, of the test images that were classified, (classes,)."""
    labels = datasets.load(outcome.recipe.dataset, "test").labels[:outcome.accuracy.images]
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
        experiment.ranking(recipe.with_steps(recipe.steps[:steps]), lambda share: report(Progress(share / 2)))
    column = matched(recipe, budget, lambda share: report(Progress(0.5 + share / 2)))
    outcome = experiment.run(column.recipe.key, lambda partial: report(Progress(1.0, column, partial)))
    return Progress(1.0, column, outcome)


def check(recipes: Sequence[Recipe]) -> None:
    """Raise ValueError unless there is at least one recipe, and all are of one network and dataset."""
    if not recipes:
        raise ValueError("there is nothing to compare")
    if len({(recipe.network, recipe.dataset) for recipe in recipes}) > 1:
        raise ValueError("only recipes of one network and one dataset can be compared: "
                         + ", ".join(f"{recipe.network} on {recipe.dataset}" for recipe in recipes))


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
        for column, outcome in zip(self.columns, self.outcomes):
            low, high = outcome.accuracy.interval
            rows.append({
                "name": name_of(column.recipe), "value": column.recipe.value, "accuracy": outcome.accuracy.value,
                "accuracy_low": low, "accuracy_high": high, "images": outcome.accuracy.images,
                "sparsity": outcome.sparsity, "parameters_left": column.left.parameters, "macs_left": column.left.macs,
                "compression": outcome.dense.parameters / column.left.parameters,
                "theoretical_speed_up": outcome.dense.macs / max(1, column.left.macs), "problem": column.problem})
        return pd.DataFrame(rows)

    def to_dict(self) -> dict:
        dense = self.outcomes[0].dense
        columns = [{"recipe": column.recipe.to_dict(), **{k: v for k, v in row.items() if k != "problem"},
                    "problem": column.problem or None} for column, row in zip(self.columns, self.table().to_dict("records"))]
        return {"budget": {"kind": self.budget.kind, "share": None if self.budget.kind == "own" else self.budget.share},
                "dense": {"accuracy": self.outcomes[0].dense_accuracy, "parameters": dense.parameters, "macs": dense.macs},
                "columns": columns}

    def as_text(self) -> str:
        shown = self.table()[["name", "accuracy", "sparsity", "parameters_left", "macs_left"]]
        return "\n".join([shown.to_string(index=False, formatters={"accuracy": "{:.2%}".format, "sparsity": "{:.2%}".format}),
                          *(f"{name_of(column.recipe)}: {column.problem}" for column in self.columns if column.problem)])


def name_of(recipe: Recipe) -> str:
    """A recipe in a few words."""
    return " + ".join(f"{METHODS[step.method].label} by {CRITERIA[step.criterion].label}" for step in recipe.steps)
