"""What curves are asked for: recipes, points and seeds, and the recipe of every point."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from pruning.engine.prune import rank_units
from pruning.experiments.budgets import Budget, match_budget
from pruning.experiments.strength import with_sparsity
from pruning.recipe.labels import recipe_label
from pruning.recipe.recipe import Recipe
from pruning.runtime.defaults import MAX_SEED
from pruning.runtime.progress import ignore_progress

COMPRESSION_RATIOS = (1, 2, 4, 8, 16, 32)
"""Effective compression ratios, as an alternative to even sparsities."""
MAX_RECIPES = 12
MAX_POINTS = 1000
POINTS_LIMITS = (2, 50)
MAX_SEEDS = 10
DEFAULT_POINTS = 11
DEFAULT_SEEDS = 3
SEEDS = MAX_SEED + 1


def check_points(points: int) -> None:
    """Check a number of points.

    Parameters
    ----------
    points : int
        Number of even sparsities; 0 for the effective compression ratios.

    Raises
    ------
    ValueError
        It is out of range.
    """
    fewest, most = POINTS_LIMITS
    if points != 0 and not fewest <= points <= most:
        raise ValueError(
            f"points must be from {fewest} to {most}, or 0 for effective compression ratios, "
            f"not {points}"
        )


def check_seeds(seeds: int) -> None:
    """Check a number of seeds.

    Parameters
    ----------
    seeds : int
        Number of seeds of a recipe with a random criterion.

    Raises
    ------
    ValueError
        It is out of range.
    """
    if not 1 <= seeds <= MAX_SEEDS:
        raise ValueError(f"seeds must be from 1 to {MAX_SEEDS}, not {seeds}")


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
class CurveRequest:
    """The curves of one figure.

    Parameters
    ----------
    recipes : tuple of Recipe
        One to twelve, of one network and dataset; the values of their last steps do not matter.
    points : int
        Number of even sparsities from 0; 0 for the effective compression ratios 1 to 32.
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
        check_points(self.points)
        check_seeds(self.seeds)
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
        """Sparsities of the points, or effective compression ratios if ``points`` is 0."""
        if self.points == 0:
            return [float(ratio) for ratio in COMPRESSION_RATIOS]
        return (np.arange(self.points) / self.points).tolist()

    def _seeds_of(self, recipe: Recipe) -> list[int]:
        if not recipe.is_random:
            return [recipe.seed]
        return [(recipe.seed + offset) % SEEDS for offset in range(self.seeds)]

    def expand(self, report: Callable[[float], None] = ignore_progress) -> list[CurvePoint]:
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
            rank_units(recipe, report)
        for position in self.positions:
            report()
            if self.points:
                yield with_sparsity(recipe, position)
            else:
                budget = Budget("parameters", 1 / position)
                yield match_budget(recipe, budget, report).recipe
