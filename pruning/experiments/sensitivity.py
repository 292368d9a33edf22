"""Every layer pruned alone, on validation images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pruning.engine.evaluate import EvaluationProgress, evaluate
from pruning.engine.evaluation import Evaluation
from pruning.engine.prune import unit_groups
from pruning.recipe.recipe import Recipe
from pruning.runtime.errors import PrunescopeError
from pruning.runtime.progress import ignore_progress

LEVELS = tuple(level / 10 for level in range(1, 11))


@dataclass(frozen=True)
class SensitivityScan:
    """Evaluations of layers that were pruned alone.

    Parameters
    ----------
    recipe : Recipe
        Method and criterion.
    layers : tuple of str
        Names of the groups, in network order.
    levels : tuple of float
        Sparsities of one layer alone.
    evaluations : tuple of tuple of Evaluation or None
        ``evaluations[i][j]``: layer ``layers[i]`` pruned at ``levels[j]``; None where nothing is
        known yet. On validation images.
    dense : Evaluation or None
        Nothing pruned by the last step.
    """

    recipe: Recipe
    layers: tuple[str, ...]
    levels: tuple[float, ...]
    evaluations: tuple[tuple[Evaluation | None, ...], ...]
    dense: Evaluation | None

    @property
    def is_complete(self) -> bool:
        """Whether every evaluation is known."""
        return all(None not in row for row in self.evaluations)

    @property
    def accuracies(self) -> pd.DataFrame:
        """A row per layer, a column per level; NaN where nothing is known yet."""
        values = np.full((len(self.layers), len(self.levels)), np.nan)
        for i, row in enumerate(self.evaluations):
            for j, evaluation in enumerate(row):
                if evaluation is not None:
                    values[i, j] = evaluation.accuracy.value
        index = pd.Index(self.layers, name="layer")
        return pd.DataFrame(values, index=index, columns=list(self.levels))

    @property
    def order(self) -> list[str]:
        """The layers by their mean accuracy over the levels, the most sensitive first."""
        return list(self.accuracies.mean(axis=1).sort_values(kind="stable").index)

    def table(self) -> pd.DataFrame:
        """Return a row per evaluation.

        Returns
        -------
        pd.DataFrame
            Layer, level and every number of the evaluation.
        """
        rows = []
        for layer, evaluations in zip(self.layers, self.evaluations, strict=True):
            for level, evaluation in zip(self.levels, evaluations, strict=True):
                if evaluation is not None:
                    numbers = evaluation.to_dict()
                    del numbers["recipe"]
                    rows.append({"layer": layer, "level": level, **numbers})
        return pd.DataFrame(rows)


class ScanError(PrunescopeError, ValueError):
    """A network has no layers that could be compared."""


def scan_layers(
    recipe: Recipe,
    report: Callable[[SensitivityScan, float], None] = ignore_progress,
    *,
    levels: Sequence[float] = LEVELS,
    precision: float | None = None,
) -> SensitivityScan:
    """Prune each group of a method alone, at several sparsities.

    Parameters
    ----------
    recipe : Recipe
        Method and criterion; rule, scope and layers of its last step do not matter.
    report : callable
        Called with the scan so far and the share of the work that is done.
    levels : sequence of float
        Sparsities of one layer alone.
    precision : float, optional
        As of `evaluate`.

    Returns
    -------
    SensitivityScan
        Complete.

    Raises
    ------
    ScanError
        The method has one group only.
    ValueError
        A level is out of range.
    """
    layers = tuple(unit_groups(recipe))
    if len(layers) < 2:
        method = recipe.last_step.method
        raise ScanError(f"a scan goes layer by layer: {method} has no layers to choose from")
    uniform = layerwise(recipe)
    recipes = [uniform.with_last_step(value=0.0)]
    for layer in layers:
        recipes += [uniform.with_last_step(layers=(layer,), value=level) for level in levels]

    def to_scan(evaluations: Sequence[Evaluation | None]) -> SensitivityScan:
        dense, *others = evaluations
        rows = []
        for start in range(0, len(others), len(levels)):
            rows.append(tuple(others[start : start + len(levels)]))
        return SensitivityScan(recipe, layers, tuple(levels), tuple(rows), dense)

    def report_evaluations(progress: EvaluationProgress) -> None:
        report(to_scan(progress.evaluations), progress.share)

    return to_scan(evaluate(recipes, "validation", precision, report_evaluations))


def layerwise(recipe: Recipe) -> Recipe:
    """Return a recipe that removes the same share of every layer.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.

    Returns
    -------
    Recipe
        The same for all recipes that differ in rule, scope, value or layers of the last step only.
    """
    return recipe.with_last_step(rule="sparsity", scope="layer", value=0.5, values=(), layers=None)
