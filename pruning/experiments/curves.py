"""Accuracy of recipes at many strengths: the curves of one figure."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import auc

from pruning.engine.evaluate import EvaluationProgress, evaluate
from pruning.engine.evaluation import Evaluation
from pruning.engine.prune import score_steps
from pruning.experiments.budgets import Budget, match_budget
from pruning.experiments.strength import with_sparsity
from pruning.recipe.labels import recipe_label
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import (
    parse_float,
    parse_int,
    recipe_from_dict,
    recipe_to_dict,
)
from pruning.runtime.json_reader import parse_json
from pruning.runtime.progress import ignore_progress

SPARSITIES = (
    *(0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75),
    *(0.8, 0.84, 0.88, 0.91, 0.94, 0.96, 0.98, 0.99, 1.0),
)
"""Sparsities of the curve on Explore."""
COMPRESSION_RATIOS = (1, 2, 4, 8, 16, 32)
MAX_RECIPES = 12
MAX_POINTS = 1000
POINTS_LIMITS = (2, 50)
MAX_SEEDS = 10
DEFAULT_POINTS = 11
DEFAULT_SEEDS = 3
MATCHING_SHARE = 0.1
"""Approximate share of the work that finding the recipes of all points takes."""

SEEDS = 2**32


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
class CurveRequest:
    """The curves of one figure.

    Parameters
    ----------
    recipes : tuple of Recipe
        One to twelve, of one network and dataset; the values of their last steps do not matter.
    points : int
        Number of even sparsities from 0; 0 for the compression ratios 1 to 32.
    seeds : int
        Number of seeds of recipes with a random criterion.
    max_test_images : int, optional
        Classify only the first so many test images.
    precision : float, optional
        As of `evaluate`.

    Raises
    ------
    ValueError
        A number is out of range, or a recipe has a value of its own for each layer.
    """

    recipes: tuple[Recipe, ...]
    points: int = DEFAULT_POINTS
    seeds: int = DEFAULT_SEEDS
    max_test_images: int | None = None
    precision: float | None = None

    def __post_init__(self) -> None:
        count = len(self.recipes)
        if not 1 <= count <= MAX_RECIPES:
            raise ValueError(f"curves are of 1 to {MAX_RECIPES} recipes, not {count}")
        if len({(recipe.network, recipe.dataset) for recipe in self.recipes}) > 1:
            raise ValueError("the recipes of one picture must be of one network and dataset")
        fewest, most = POINTS_LIMITS
        if self.points != 0 and not fewest <= self.points <= most:
            raise ValueError(
                f"points must be from {fewest} to {most}, or 0 for compression ratios, "
                f"not {self.points}"
            )
        if not 1 <= self.seeds <= MAX_SEEDS:
            raise ValueError(f"seeds must be from 1 to {MAX_SEEDS}, not {self.seeds}")
        total = sum(len(self._seeds_of(recipe)) for recipe in self.recipes) * len(self.positions)
        if total > MAX_POINTS:
            raise ValueError(
                f"{total:,} points are too many for one picture, more than {MAX_POINTS:,}: "
                "choose fewer recipes, points or seeds"
            )
        for recipe in self.recipes:
            if recipe.last_step.scope == "custom":
                raise ValueError(
                    f"{recipe_label(recipe)}: a curve needs one value for all layers: "
                    "choose another scope"
                )

    @property
    def positions(self) -> list[float]:
        """Sparsities of the points, or compression ratios if ``points`` is 0."""
        if self.points == 0:
            return [float(ratio) for ratio in COMPRESSION_RATIOS]
        return (np.arange(self.points) / self.points).tolist()

    def _seeds_of(self, recipe: Recipe) -> list[int]:
        if not recipe.is_random:
            return [recipe.seed]
        return [(recipe.seed + offset) % SEEDS for offset in range(self.seeds)]

    def expand(self, report: Callable[[float], None] = lambda share: None) -> list["CurvePoint"]:
        """Find the recipe of every point.

        Parameters
        ----------
        report : callable
            Called with the share of the recipes that are done.

        Returns
        -------
        list of CurvePoint
            Curve by curve, seed by seed.
        """
        points = []
        for curve, recipe in enumerate(self.recipes):

            def report_recipe(_: float = 0.0, curve: int = curve) -> None:
                report(curve / len(self.recipes))

            for run, seed in enumerate(self._seeds_of(recipe)):
                seeded = replace(recipe, seed=seed, max_test_images=self.max_test_images)
                for point_recipe in self._recipes_of_run(seeded, report_recipe):
                    points.append(CurvePoint(curve, run, point_recipe))
        return points

    def _recipes_of_run(self, recipe: Recipe, report: Callable[..., None]) -> Iterator[Recipe]:
        values_follow_from_scores = recipe.last_step.rule != "sparsity" or self.points == 0
        if values_follow_from_scores:
            score_steps(recipe, report)
        for position in self.positions:
            report()
            if self.points:
                yield with_sparsity(recipe, position)
            else:
                budget = Budget("parameters", 1 / position)
                yield match_budget(recipe, budget, report).recipe

    def to_query(self) -> dict[str, str]:
        """Convert to the fields of a link.

        Returns
        -------
        dict of str to str
            As `from_query` reads them.
        """
        contents = [recipe_to_dict(recipe) for recipe in self.recipes]
        query = {
            "recipes": json.dumps(contents, separators=(",", ":")),
            "points": str(self.points),
            "seeds": str(self.seeds),
        }
        if self.precision is not None:
            query["precision"] = str(self.precision)
        return query

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "CurveRequest":
        """Read the fields of a link.

        Parameters
        ----------
        query : mapping of str to str
            ``recipes`` and, optionally, ``points``, ``seeds`` and ``precision``.

        Returns
        -------
        CurveRequest
            The request.

        Raises
        ------
        ValueError
            The link cannot be read.
        """
        contents = parse_json(query["recipes"], "recipes")
        if not isinstance(contents, list):
            raise ValueError("recipes must be a list")
        precision = None
        if "precision" in query:
            precision = parse_float("precision", query["precision"])
        return cls(
            tuple(recipe_from_dict(content) for content in contents),
            parse_int("points", query.get("points", str(DEFAULT_POINTS))),
            parse_int("seeds", query.get("seeds", str(DEFAULT_SEEDS))),
            precision=precision,
        )


@dataclass(frozen=True)
class CurvePoint:
    """The recipe of one point: of which curve, and of which of its runs.

    Parameters
    ----------
    curve, run : int
        Index of the curve, and of the seed.
    recipe : Recipe
        The recipe of the point.
    """

    curve: int
    run: int
    recipe: Recipe


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
        return float(auc(x, y) / (x[-1] - x[0]))


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


def curves_table(curves: Sequence[Curve]) -> pd.DataFrame:
    """Return a row per point and seed.

    Parameters
    ----------
    curves : sequence of Curve
        The curves.

    Returns
    -------
    pd.DataFrame
        Name, seed, value and every number of the evaluations.
    """
    rows = []
    for curve in curves:
        for evaluation in curve.evaluations:
            recipe = evaluation.recipe
            row = {
                "name": recipe_label(replace(curve.recipe, seed=recipe.seed)),
                "seed": recipe.seed,
                "value": str(recipe.last_step.value),
            }
            numbers = evaluation.to_dict()
            del numbers["recipe"]
            rows.append(row | numbers)
    return pd.DataFrame(rows)


def curves_to_dict(request: CurveRequest, curves: Sequence[Curve]) -> dict[str, Any]:
    """Convert curves to JSON values.

    Parameters
    ----------
    request : CurveRequest
        What was asked for.
    curves : sequence of Curve
        The curves.

    Returns
    -------
    dict
        Every point with its recipe, and the area under each curve.
    """
    contents = []
    for curve in curves:
        runs = []
        for run in curve.runs:
            runs.append([evaluation.to_dict() for evaluation in run if evaluation])
        content = {
            "name": recipe_label(curve.recipe, with_seed=False),
            "area": None if np.isnan(curve.area) else curve.area,
            "runs": runs,
        }
        contents.append(content)
    return {
        "points": request.points or list(COMPRESSION_RATIOS),
        "seeds": request.seeds,
        "precision": request.precision,
        "curves": contents,
    }
