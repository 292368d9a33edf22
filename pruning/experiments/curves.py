"""Accuracy of recipes at many strengths: the curves of one figure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pruning.engine.evaluate import EvaluationProgress, evaluate
from pruning.engine.evaluation import Evaluation
from pruning.experiments.curve_request import CurvePoint, CurveRequest
from pruning.experiments.strength import with_sparsity
from pruning.recipe.recipe import Recipe
from pruning.runtime.progress import ignore_progress

SPARSITIES = (
    *(0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75),
    *(0.8, 0.84, 0.88, 0.91, 0.94, 0.96, 0.98, 0.99, 1.0),
)
"""Sparsities of the curve on Explore."""
MATCHING_SHARE = 0.1
"""Approximate share of the work that finding the recipes of all points takes."""


def recipes_along_curve(recipe: Recipe, sparsities: Sequence[float] = SPARSITIES) -> list[Recipe]:
    """Return a recipe at several sparsities.

    Parameters
    ----------
    recipe : Recipe
        Any recipe with one value for all layers.
    sparsities : sequence of float
        Shares of the units that take part.

    Returns
    -------
    list of Recipe
        Without duplicates: some rules have few values.
    """
    recipes = [with_sparsity(recipe, sparsity) for sparsity in sparsities]
    return list(dict.fromkeys(recipes))


@dataclass(frozen=True)
class Curve:
    """The evaluations of one recipe at many strengths.

    Parameters
    ----------
    recipe : Recipe
        The recipe; the value of its last step does not matter.
    runs : tuple of tuple of Evaluation or None
        One run for each seed, of the same length; None where nothing is known yet.
    """

    recipe: Recipe
    runs: tuple[tuple[Evaluation | None, ...], ...]

    @property
    def points(self) -> list[list[Evaluation]]:
        """Known evaluations of all seeds, by position; positions without any are left out."""
        points = []
        for position in zip(*self.runs, strict=True):
            known = [evaluation for evaluation in position if evaluation is not None]
            if known:
                points.append(known)
        return points

    @property
    def evaluations(self) -> list[Evaluation]:
        """All known evaluations, run by run."""
        known = []
        for run in self.runs:
            known += [evaluation for evaluation in run if evaluation is not None]
        return known

    def values(self, quantity: Callable[[Evaluation], float]) -> tuple[np.ndarray, np.ndarray]:
        """Compute mean and spread of a quantity over the seeds.

        Parameters
        ----------
        quantity : callable
            ``quantity(evaluation)`` gives a number.

        Returns
        -------
        mean : np.ndarray
            (positions,) float64.
        deviation : np.ndarray
            (positions,) population standard deviation.
        """
        means, deviations = [], []
        for position in self.points:
            values = [quantity(evaluation) for evaluation in position]
            means.append(np.mean(values))
            deviations.append(np.std(values))
        return np.array(means), np.array(deviations)

    @property
    def area(self) -> float:
        """Area under accuracy against sparsity / its width; NaN for fewer than two sparsities."""
        sparsities, _ = self.values(lambda evaluation: evaluation.removed)
        accuracies, _ = self.values(lambda evaluation: evaluation.accuracy.value)
        order = np.argsort(sparsities, kind="stable")
        x, y = sparsities[order], accuracies[order]
        if len(x) < 2 or x[-1] == x[0]:
            return float("nan")
        return float(np.trapezoid(y, x) / (x[-1] - x[0]))


def to_curves(
    request: CurveRequest,
    points: Sequence[CurvePoint],
    evaluations: Sequence[Evaluation | None],
) -> tuple[Curve, ...]:
    """Sort evaluations into curves.

    Parameters
    ----------
    request : CurveRequest
        What was asked for.
    points : sequence of CurvePoint
        As of `CurveRequest.expand`.
    evaluations : sequence of Evaluation or None
        One for each point.

    Returns
    -------
    tuple of Curve
        One for each recipe of the request.
    """
    runs: dict[tuple[int, int], list[Evaluation | None]] = {}
    for point, evaluation in zip(points, evaluations, strict=True):
        runs.setdefault((point.curve, point.run), []).append(evaluation)
    curves = []
    for index, recipe in enumerate(request.recipes):
        runs_of_curve = [tuple(run) for (curve, _), run in runs.items() if curve == index]
        curves.append(Curve(recipe, tuple(runs_of_curve)))
    return tuple(curves)


def measure_curves(
    request: CurveRequest,
    report: Callable[[tuple[Curve, ...], float], None] = ignore_progress,
) -> tuple[Curve, ...]:
    """Evaluate all points of all curves.

    Parameters
    ----------
    request : CurveRequest
        What is asked for.
    report : callable
        Called with the curves so far and the share of the work that is done.

    Returns
    -------
    tuple of Curve
        One for each recipe.
    """
    points = request.expand(lambda share: report((), MATCHING_SHARE * share))

    def report_evaluations(progress: EvaluationProgress) -> None:
        share = MATCHING_SHARE + (1 - MATCHING_SHARE) * progress.share
        report(to_curves(request, points, progress.evaluations), share)

    recipes = [point.recipe for point in points]
    evaluations = evaluate(recipes, precision=request.precision, report=report_evaluations)
    return to_curves(request, points, evaluations)
