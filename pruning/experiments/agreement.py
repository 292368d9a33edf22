"""Do criteria agree? On what they remove at the same sparsity, and on the order of all units."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from pruning.engine import prune as experiment
from pruning.recipe.recipe import Recipe, criteria_for


@dataclass(frozen=True, eq=False)
class Agreement:
    """Square tables, a row and a column per criterion.

    ``jaccard``: units that both remove / units that at least one removes; NaN where both remove nothing.
    ``correlation``: Spearman's rank correlation of the scores of all units, ties on their mean rank; in the scope
    ``layer`` the mean over the layers. NaN where all scores of one are equal.
    """

    jaccard: pd.DataFrame
    correlation: pd.DataFrame


def with_criterion(recipe: Recipe, criterion: str, sparsity: float) -> Recipe:
    """The recipe with another criterion, removing this share of the units that take part."""
    scope = recipe.scope if recipe.scope in ("global", "layer", "erk") else "layer"
    return replace(
        recipe,
        criterion=criterion,
        measure="",
        rule="sparsity",
        value=sparsity,
        values=(),
        scope=scope,
    )


def agreement(
    recipe: Recipe,
    criteria: Sequence[str],
    sparsity: float,
    report: Callable[[float], None] = lambda share: None,
) -> Agreement:
    """Compare criteria on the units of the recipe's last step.

    Raises
    ------
    ValueError : a criterion that cannot score these units.
    """
    for name in criteria:
        if name not in criteria_for(recipe.network, recipe.method):
            raise ValueError(f"criterion {name!r} does not score {recipe.method}s")
    recipes = [with_criterion(recipe, name, sparsity) for name in criteria]
    removed, scores = [], []
    for i, one in enumerate(recipes):
        ranked = experiment.ranking(one, lambda share, i=i: report((i + share) / len(recipes)))
        choice = experiment.select(one)
        removed.append(
            np.concatenate([choice[name].removed(group).numpy() for name, group in ranked.items()])
        )
        scores.append([group.scores[np.sort(group.order)] for group in ranked.values()])
        report((i + 1) / len(recipes))
    together = recipes[0].scope == "global"
    ranks = [
        [rankdata(np.concatenate(groups))] if together else [rankdata(values) for values in groups]
        for groups in scores
    ]
    table = lambda function, given: pd.DataFrame(  # noqa: E731
        [[function(a, b) for b in given] for a in given], list(criteria), list(criteria), float
    )
    return Agreement(table(jaccard, removed), table(spearman, ranks))


def jaccard(a: np.ndarray, b: np.ndarray) -> float:
    """|a and b| / |a or b| of two (n,) bool."""
    either = int((a | b).sum())
    return int((a & b).sum()) / either if either else float("nan")


def spearman(a: list[np.ndarray], b: list[np.ndarray]) -> float:
    """The mean over groups of the correlation of ranks; groups in which nothing differs do not count."""
    found = [float(np.corrcoef(x, y)[0, 1]) for x, y in zip(a, b) if np.ptp(x) and np.ptp(y)]
    return float(np.mean(found)) if found else float("nan")
