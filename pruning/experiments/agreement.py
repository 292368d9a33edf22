"""Agreement of criteria on what they remove, and on the order of all units."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from pruning.engine.prune import prune, rank_units
from pruning.engine.pruned_network import PrunedNetwork
from pruning.recipe.compatibility import criteria_for, scopes_for
from pruning.recipe.recipe import Recipe
from pruning.runtime.progress import ShareReport, ignore_progress


@dataclass(frozen=True, eq=False)
class Agreement:
    """Square tables, a row and a column per criterion.

    Parameters
    ----------
    jaccard : pd.DataFrame
        Units that both remove / units that at least one removes; NaN where both remove nothing.
    correlation : pd.DataFrame
        Spearman's rank correlation of the scores of all units, ties on their mean rank; in the
        scope ``layer`` the mean over the layers. NaN where all scores of one criterion are equal.
    """

    jaccard: pd.DataFrame
    correlation: pd.DataFrame


def with_criterion(recipe: Recipe, criterion: str, sparsity: float) -> Recipe:
    """Return a recipe with another criterion that removes a share of the units.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.
    criterion : str
        Name in ``CRITERIA``.
    sparsity : float
        Share of the units that take part.

    Returns
    -------
    Recipe
        In the same scope, or ``layer`` instead of ``custom``.
    """
    step = recipe.last_step
    scope = step.scope if step.scope in scopes_for("sparsity", step.method) else "global"
    if scope == "custom":
        scope = "layer"
    return recipe.with_last_step(
        criterion=criterion, variant="", rule="sparsity", value=sparsity, values=(), scope=scope
    )


def measure_agreement(
    recipe: Recipe,
    criteria: Sequence[str],
    sparsity: float,
    report: ShareReport = ignore_progress,
) -> Agreement:
    """Compare criteria on the units of the last step of a recipe.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.
    criteria : sequence of str
        Names in ``CRITERIA``.
    sparsity : float
        Share of the units that each criterion removes.
    report : callable
        Called with the share of scoring that is done.

    Returns
    -------
    Agreement
        Overlap and rank correlation.

    Raises
    ------
    ValueError
        A criterion that cannot score these units.
    """
    method = recipe.last_step.method
    for name in criteria:
        if name not in criteria_for(recipe.network, method):
            raise ValueError(f"criterion {name!r} does not score {method}s")
    networks = []
    for index, name in enumerate(criteria):

        def report_criterion(share: float, index: int = index) -> None:
            report((index + share) / len(criteria))

        compared = with_criterion(recipe, name, sparsity)
        rank_units(compared, report_criterion)
        networks.append(prune(compared))
        report_criterion(1.0)
    removed = [_removed_units(network) for network in networks]
    ranks = [_ranks(network) for network in networks]
    names = list(criteria)
    return Agreement(_table(jaccard, removed, names), _table(spearman, ranks, names))


def _removed_units(network: PrunedNetwork) -> np.ndarray:
    return np.concatenate([network.removed_units_of(name).numpy() for name in network.ranking])


def _ranks(network: PrunedNetwork) -> list[np.ndarray]:
    """Ranks of the scores: of all units together, or layer by layer."""
    scores = []
    for group in network.ranking.values():
        scores.append(group.scores[np.sort(group.order)])
    if network.recipe.last_step.scope == "global":
        return [rankdata(np.concatenate(scores))]
    return [rankdata(values) for values in scores]


def _table(
    measure: Callable[[Any, Any], float], items: Sequence[Any], names: list[str]
) -> pd.DataFrame:
    rows = []
    for first in items:
        rows.append([measure(first, second) for second in items])
    return pd.DataFrame(rows, names, names, float)


def jaccard(a: np.ndarray, b: np.ndarray) -> float:
    """Compute the Jaccard overlap of two sets of units.

    Parameters
    ----------
    a, b : np.ndarray
        (n,) bool.

    Returns
    -------
    float
        \\|a and b\\| / \\|a or b\\|; NaN if both are empty.
    """
    either = int((a | b).sum())
    return int((a & b).sum()) / either if either else float("nan")


def spearman(a: list[np.ndarray], b: list[np.ndarray]) -> float:
    """Compute Spearman's rank correlation, averaged over groups.

    Parameters
    ----------
    a, b : list of np.ndarray
        Ranks, group by group.

    Returns
    -------
    float
        Groups in which all ranks are equal are left out; NaN if all are.
    """
    correlations = []
    for x, y in zip(a, b, strict=True):
        if np.ptp(x) and np.ptp(y):
            correlations.append(float(np.corrcoef(x, y)[0, 1]))
    return float(np.mean(correlations)) if correlations else float("nan")
