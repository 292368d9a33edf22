"""The results of a study: curves over seeds, and a table of means with their intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from pruning.engine.evaluation import Evaluation
from pruning.experiments.curves import Curve
from pruning.experiments.study.expansion import StudyPoint
from pruning.experiments.study.study_file import DENSE, Strength

CONFIDENCE = 0.95
OF_UNITS = "units"
"""In the table, instead of a budget: a share of the units is removed."""
OVER_SEEDS, OVER_IMAGES = "over seeds", "over images"


@dataclass(frozen=True)
class NamedCurve:
    """A curve of a study.

    Parameters
    ----------
    name : str
        Its name.
    curve : Curve
        Its evaluations: a run for each seed, a point for each strength.
    """

    name: str
    curve: Curve


Pair = tuple[str, str]
"""Network and dataset."""


def curves_by_pair(
    points: Sequence[StudyPoint], evaluations: Sequence[Evaluation]
) -> dict[Pair, list[NamedCurve]]:
    """Sort evaluations into curves.

    Parameters
    ----------
    points : sequence of StudyPoint
        The points.
    evaluations : sequence of Evaluation
        One for each point.

    Returns
    -------
    dict of tuple to list of NamedCurve
        By network and dataset, without the dense network.
    """
    members: dict[Pair, dict[str, list[tuple[StudyPoint, Evaluation]]]] = {}
    for point, evaluation in zip(points, evaluations, strict=True):
        pair = (point.recipe.network, point.recipe.dataset)
        curves = members.setdefault(pair, {})
        if point.curve != DENSE:
            curves.setdefault(point.curve, []).append((point, evaluation))
    named: dict[Pair, list[NamedCurve]] = {}
    for pair, curves in members.items():
        named[pair] = [_curve(name, found) for name, found in curves.items()]
    return named


def dense_accuracies(
    points: Sequence[StudyPoint], evaluations: Sequence[Evaluation]
) -> dict[Pair, float]:
    """Return the accuracy of each network before pruning.

    Parameters
    ----------
    points : sequence of StudyPoint
        The points.
    evaluations : sequence of Evaluation
        One for each point.

    Returns
    -------
    dict of tuple to float
        By network and dataset.
    """
    accuracies = {}
    for point, evaluation in zip(points, evaluations, strict=True):
        if point.curve == DENSE:
            pair = (point.recipe.network, point.recipe.dataset)
            accuracies[pair] = evaluation.accuracy.value
    return accuracies


def unmet_budgets(points: Sequence[StudyPoint]) -> list[str]:
    """Describe the budgets that are not met.

    Parameters
    ----------
    points : sequence of StudyPoint
        As of `match_budgets`.

    Returns
    -------
    list of str
        A line for each curve and strength.
    """
    lines: dict[tuple[str, str], str] = {}
    for point in points:
        if point.problem:
            subject = f"{point.recipe.network} on {point.recipe.dataset}, {point.curve}"
            strength = f"{point.strength.budget}={point.strength.value:.6g}"
            lines.setdefault((subject, strength), f"{subject}, {strength}: {point.problem}")
    return list(lines.values())


def _curve(name: str, members: Sequence[tuple[StudyPoint, Evaluation]]) -> NamedCurve:
    runs: dict[int, list[Evaluation]] = {}
    for point, evaluation in members:
        runs.setdefault(point.seed, []).append(evaluation)
    recipe = members[0][0].recipe
    return NamedCurve(name, Curve(recipe, tuple(map(tuple, runs.values()))))


def results_table(points: Sequence[StudyPoint], evaluations: Sequence[Evaluation]) -> pd.DataFrame:
    """Return a row for each curve and strength: means over the seeds, with intervals.

    Parameters
    ----------
    points : sequence of StudyPoint
        The points.
    evaluations : sequence of Evaluation
        One for each point.

    Returns
    -------
    pd.DataFrame
        ``accuracy_low`` and ``accuracy_high`` are a 95% interval of the mean over the seeds
        (Student's t); with one seed, of the accuracy on images like those of the test set. The
        column ``interval`` says which. ``value`` is the share of the units that is removed or,
        with a ``budget`` other than ``"units"``, what remains; ``problem`` says why a budget is
        not met.
    """
    groups: dict[tuple[str, str, str, Strength], list[Evaluation]] = {}
    runs: set[tuple[str, str, str, Strength]] = set()
    problems: dict[tuple[str, str, str, Strength], str] = {}
    for point, evaluation in zip(points, evaluations, strict=True):
        key = (point.recipe.network, point.recipe.dataset, point.curve, point.strength)
        groups.setdefault(key, []).append(evaluation)
        problems[key] = problems.get(key) or point.problem
        if point.run is not None:
            runs.add(key)
    rows = []
    for key, members in groups.items():
        network, dataset, curve, strength = key
        low, high, interval = _interval(members)
        first = members[0]
        rows.append(
            {
                "network": network,
                "dataset": dataset,
                "curve": curve,
                "trained": key in runs,
                "budget": strength.budget or OF_UNITS,
                "value": strength.value,
                "seeds": len(members),
                "sparsity": _mean([each.sparsity for each in members]),
                "compression": _mean([each.effective_compression for each in members]),
                "speed_up": _mean([_speed_up(each) for each in members]),
                "accuracy": _mean([each.accuracy.value for each in members]),
                "accuracy_low": low,
                "accuracy_high": high,
                "interval": interval,
                "dense_accuracy": first.dense_accuracy if key not in runs else None,
                "images": min(each.tally.images for each in members),
                "of": first.total,
                "problem": problems[key],
            }
        )
    return pd.DataFrame(rows)


def _speed_up(evaluation: Evaluation) -> float:
    """Theoretical: all MACs / effective MACs."""
    return evaluation.dense.macs / max(1, evaluation.effective.macs)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _interval(members: Sequence[Evaluation]) -> tuple[float, float, str]:
    """95% interval of a mean accuracy, and what it is over."""
    if len(members) == 1:
        return (*members[0].accuracy.sample_interval, OVER_IMAGES)
    accuracies = np.array([each.accuracy.value for each in members])
    error = accuracies.std(ddof=1) / math.sqrt(len(accuracies))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(accuracies) - 1) * error)
    mean = float(accuracies.mean())
    return max(0.0, mean - half), min(1.0, mean + half), OVER_SEEDS
