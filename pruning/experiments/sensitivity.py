"""Every layer pruned alone, and the plan of sparsities that follows from it. Both look at validation images only."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pruning.cost.macs import cost
from pruning.engine import evaluate as sweep
from pruning.engine import prune as experiment
from pruning.engine.effective_cost import left
from pruning.engine.evaluate import Point, Progress
from pruning.experiments.comparison import Budget, matched, validation_accuracy
from pruning.inference.classify import Accuracy
from pruning.recipe.recipe import Recipe

LEVELS = tuple(level / 10 for level in range(1, 11))


@dataclass(frozen=True)
class Scan:
    """``points[i][j]``: layer ``layers[i]`` alone pruned at ``levels[j]``, None where nothing is known yet; ``dense``: nothing
    pruned. Of validation images."""

    recipe: Recipe
    layers: tuple[str, ...]
    levels: tuple[float, ...]
    points: tuple[tuple[Point | None, ...], ...]
    dense: Point | None

    @property
    def accuracies(self) -> pd.DataFrame:
        """A row per layer, a column per level."""
        return pd.DataFrame(
            [[np.nan if p is None else p.accuracy.value for p in row] for row in self.points],
            index=pd.Index(self.layers, name="layer"),
            columns=list(self.levels),
            dtype=float,
        )

    def table(self) -> pd.DataFrame:
        """A row per point."""
        return pd.DataFrame(
            [
                {
                    "layer": layer,
                    "level": level,
                    **{k: v for k, v in p.to_dict().items() if k != "recipe"},
                }
                for layer, row in zip(self.layers, self.points)
                for level, p in zip(self.levels, row)
                if p
            ]
        )

    @property
    def order(self) -> list[str]:
        """The layers, the most sensitive first: by their mean accuracy over the levels."""
        return list(self.accuracies.mean(axis=1).sort_values(kind="stable").index)


def scan(
    recipe: Recipe,
    report: Callable[[Scan, float], None] = lambda scan, share: None,
    *,
    levels: tuple[float, ...] = LEVELS,
    precision: float | None = None,
) -> Scan:
    """Prune each group of the recipe's method alone, by its criterion, at each level.

    Raises
    ------
    ValueError : the method has one group only, or a level that is none.
    """
    layers = tuple(experiment.groups_of(recipe))
    if len(layers) < 2:
        raise ValueError(
            f"a scan goes layer by layer: {recipe.method} has no layers to choose from"
        )
    asked = [
        replace(layerwise(recipe), layers=(layer,), value=level).key
        for layer in layers
        for level in levels
    ]
    dense = replace(layerwise(recipe), value=0.0).key

    def shaped(points: tuple[Point | None, ...]) -> Scan:
        first, *rest = points
        rows = tuple(
            tuple(rest[i * len(levels) : (i + 1) * len(levels)]) for i in range(len(layers))
        )
        return Scan(recipe, layers, levels, rows, first)

    def tell(progress: Progress) -> None:
        report(shaped(progress.points), progress.share)

    return shaped(sweep.measure([dense, *asked], tell, split="validation", precision=precision))


def layerwise(recipe: Recipe) -> Recipe:
    """Every group loses its own share."""
    return replace(recipe, rule="sparsity", scope="layer", value=0.5, values=(), layers=None)


@dataclass(frozen=True)
class Planned:
    """A plan's recipe, or one of those beside it, with what is left and its accuracies; ``test`` of all test images."""

    name: str
    recipe: Recipe
    parameters: int
    macs: int
    validation: float
    test: Accuracy


@dataclass(frozen=True)
class Plan:
    """``lose``: points of validation accuracy that may go. ``plan``, and ``uniform`` and ``globally`` of the same number of
    effective parameters; the planned recipe keeps its promise on validation images, the test images only report."""

    lose: float
    dense_validation: float
    plan: Planned
    beside: tuple[Planned, ...]

    def table(self) -> pd.DataFrame:
        dense = cost(self.plan.recipe.network, self.plan.recipe.dataset)
        return pd.DataFrame(
            [
                {
                    "plan": one.name,
                    "effective_parameters": one.parameters,
                    "compression": dense.parameters / max(1, one.parameters),
                    "effective_macs": one.macs,
                    "validation_accuracy": one.validation,
                    "test_accuracy": one.test.value,
                }
                for one in (self.plan, *self.beside)
            ]
        )


def plan(found: Scan, lose: float, report: Callable[[float], None] = lambda share: None) -> Plan:
    """Sparsities per layer that lose at most ``lose`` points of validation accuracy.

    Greedy on the scan gives a path from nothing to everything (`path`). The losses of layers do not simply add up, so how
    far to go on it is found by bisection on the measured validation accuracy of the whole.

    Raises
    ------
    ValueError : points that are none.
    """
    if not 0 <= lose <= 100:
        raise ValueError(f"points to lose must be from 0 to 100, not {lose}")
    recipe = found.recipe
    none = _with(recipe, dict.fromkeys(found.layers, 0.0))
    dense = validation_accuracy(none, lambda share: report(0.0))
    promise, best, reached, steps = dense - lose / 100, none, dense, path(found)
    low, high, tries = 0, len(steps), max(1, math.ceil(math.log2(len(steps) + 1)))
    for tried in range(tries):
        middle = (low + high + 1) // 2
        recipe_there = _with(recipe, steps[middle - 1])
        accuracy = validation_accuracy(
            recipe_there, lambda share, tried=tried: report((tried + share) / (tries + 2))
        )
        if accuracy >= promise - 1e-12:
            low, best, reached = middle, recipe_there, accuracy
        else:
            high = middle - 1
        if low == high:
            break
    share = Budget(
        "parameters", left(best).parameters / cost(recipe.network, recipe.dataset).parameters
    )
    beside = []
    for i, (name, scope) in enumerate(
        (("uniform: each layer alike", "layer"), ("global: all layers compete", "global"))
    ):
        now = lambda _, i=i: report((tries + i) / (tries + 2))  # noqa: E731
        column = matched(replace(layerwise(recipe), scope=scope), share, now)
        beside.append(_planned(name, column.recipe, validation_accuracy(column.recipe, now), now))
    return Plan(lose, dense, _planned("plan", best, reached, lambda _: report(1.0)), tuple(beside))


def path(found: Scan) -> list[dict[str, float]]:
    """States {layer: sparsity}, each a step further than the one before: of all steps of one layer to a higher level, the
    one that removes most weights for the accuracy that this layer alone loses by it, and one image more."""
    sizes = {
        name: group.units * _weights_per_unit(found.recipe, name)
        for name, group in experiment.groups_of(found.recipe).items()
    }
    dense = found.dense.accuracy
    losses = {
        name: [0.0, *np.maximum.accumulate([max(0.0, dense.value - p.accuracy.value) for p in row])]
        for name, row in zip(found.layers, found.points)
    }
    levels, at, states = [0.0, *found.levels], dict.fromkeys(found.layers, 0), []
    while steps := [
        (
            sizes[name]
            * (levels[to] - levels[at[name]])
            / (losses[name][to] - losses[name][at[name]] + 1 / dense.images),
            -to,
            name,
        )
        for name in found.layers
        for to in range(at[name] + 1, len(levels))
    ]:
        _, to, name = max(steps)
        at[name] = -to
        states.append({layer: levels[place] for layer, place in at.items()})
    return states


def _weights_per_unit(recipe: Recipe, name: str) -> float:
    group, model = experiment.groups_of(recipe)[name], experiment.model(recipe)
    return sum(model.get_submodule(layer).weight.numel() for layer in group.layers) / group.units


def _with(recipe: Recipe, values: dict[str, float]) -> Recipe:
    return replace(layerwise(recipe), scope="custom", value=0.0, values=tuple(values.items()))


def _planned(
    name: str, recipe: Recipe, validation: float, report: Callable[[object], None]
) -> Planned:
    counts = left(recipe)
    return Planned(
        name,
        recipe,
        counts.parameters,
        counts.macs,
        validation,
        experiment.run(recipe, report).accuracy,
    )
