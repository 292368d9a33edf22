"""Several curves in one picture: recipes at the same points, random ones with several seeds."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.metrics import auc

from pruning.engine import evaluate as sweep
from pruning.engine import prune as experiment
from pruning.engine.evaluate import Point, Progress
from pruning.experiments.comparison import Budget, matched, name_of
from pruning.experiments.strength import at_sparsity
from pruning.methods.criteria import CRITERIA
from pruning.recipe.recipe import Recipe

RATIOS = (1, 2, 4, 8, 16, 32)
MOST = 1000  # points


@dataclass(frozen=True)
class Bundle:
    """What is asked: ``recipes``, their values aside, each at ``points`` even sparsities from 0, or, if ``points`` is 0, at
    the compression ratios 1 to 32; ``seeds`` for each recipe with a random part.

    ``images``: of the test set, the first ones (None: all); ``precision``: as in `sweep.measure`.

    Raises
    ------
    ValueError : no recipes, too many of something, or one whose layers have values of their own.
    """

    recipes: tuple[Recipe, ...]
    points: int = 11
    seeds: int = 3
    images: int | None = None
    precision: float | None = None

    def __post_init__(self):
        if not 1 <= len(self.recipes) <= 12:
            raise ValueError(f"curves are of 1 to 12 recipes, not {len(self.recipes)}")
        if len({(r.network, r.dataset) for r in self.recipes}) > 1:
            raise ValueError("the recipes of one picture must be of one network and dataset")
        if self.points != 0 and not 2 <= self.points <= 50:
            raise ValueError(
                f"points must be from 2 to 50, or 0 for compression ratios, not {self.points}"
            )
        if not 1 <= self.seeds <= 10:
            raise ValueError(f"seeds must be from 1 to 10, not {self.seeds}")
        total = sum(self.seeds if seeded(r) else 1 for r in self.recipes) * (
            self.points or len(RATIOS)
        )
        if total > MOST:
            raise ValueError(
                f"{total:,} points are too many for one picture, more than {MOST:,}: choose fewer recipes, points or seeds"
            )
        if custom := [r for r in self.recipes if r.scope == "custom"]:
            raise ValueError(
                f"{name_of(custom[0])}: a curve needs one value for all layers: choose another scope"
            )

    def runs(
        self, report: Callable[[float], None] = lambda share: None
    ) -> tuple[tuple[tuple[Recipe, ...], ...], ...]:
        """The recipes of all points: by recipe, by seed, by point."""
        found = []
        for i, recipe in enumerate(self.recipes):
            seeds = (
                range(recipe.seed, recipe.seed + self.seeds) if seeded(recipe) else [recipe.seed]
            )
            now = lambda i=i: report(i / len(self.recipes))  # noqa: E731
            found.append(
                tuple(
                    tuple(self._at(replace(recipe, seed=seed % 2**32, images=self.images), now))
                    for seed in seeds
                )
            )
        return tuple(found)

    def _at(self, recipe: Recipe, report: Callable[[], None]) -> Iterator[Recipe]:
        if recipe.rule != "sparsity" or not self.points:  # values follow from scores
            for steps in range(1, len(recipe.steps) + 1):
                experiment.ranking(recipe.with_steps(recipe.steps[:steps]), lambda share: report())
        for share in np.arange(self.points) / self.points if self.points else ():
            yield at_sparsity(recipe, share).key
            report()
        for ratio in () if self.points else RATIOS:
            yield matched(
                recipe, Budget("parameters", 1 / ratio), lambda share: report()
            ).recipe.key


def seeded(recipe: Recipe) -> bool:
    """Whether it has a random part."""
    return any(CRITERIA[step.criterion].is_random for step in recipe.steps)


@dataclass(frozen=True)
class Line:
    """The points of one recipe, by seed: the same number for each, None where nothing is known yet."""

    recipe: Recipe
    runs: tuple[tuple[Point | None, ...], ...]

    @property
    def points(self) -> list[list[Point]]:
        """By place on the line: those of all seeds that are there."""
        return [
            [p for p in place if p is not None]
            for place in zip(*self.runs)
            if any(p is not None for p in place)
        ]

    def values(self, what: Callable[[Point], float]) -> tuple[np.ndarray, np.ndarray]:
        """Mean and population standard deviation over the seeds, by place, of ``what`` of a point."""
        by_place = [[what(p) for p in place] for place in self.points]
        return np.array([np.mean(v) for v in by_place]), np.array([np.std(v) for v in by_place])

    @property
    def area(self) -> float:
        """Mean accuracy over the sparsities from the first point to the last: the area under the curve / its width; NaN
        for fewer than two sparsities."""
        x, _ = self.values(lambda p: p.share if self.recipe.method == "feature" else p.sparsity)
        y, _ = self.values(lambda p: p.accuracy.value)
        order = np.argsort(x, kind="stable")
        x, y = x[order], y[order]
        return float(auc(x, y) / (x[-1] - x[0])) if len(x) > 1 and x[-1] > x[0] else float("nan")


def lines(
    bundle: Bundle, runs: tuple[tuple[tuple[Recipe, ...], ...], ...], points: Sequence[Point | None]
) -> tuple[Line, ...]:
    """Points in the order of `Bundle.runs`, as lines."""
    every = iter(points)
    return tuple(
        Line(recipe, tuple(tuple(next(every) for _ in seed) for seed in seeds))
        for recipe, seeds in zip(bundle.recipes, runs)
    )


def measure(
    bundle: Bundle, report: Callable[[tuple[Line, ...], float], None] = lambda lines, share: None
) -> tuple[Line, ...]:
    """All points of all lines; ``report`` is told of the lines so far and the share of the work that is done."""
    runs = bundle.runs(lambda share: report((), share / 10))
    every = [recipe for seeds in runs for seed in seeds for recipe in seed]

    def tell(progress: Progress) -> None:
        report(lines(bundle, runs, progress.points), 0.1 + 0.9 * progress.share)

    return lines(bundle, runs, sweep.measure(every, tell, precision=bundle.precision))


def table(found: Sequence[Line]) -> pd.DataFrame:
    """A row per point and seed."""
    rows = []
    for line in found:
        for run in line.runs:
            for point in filter(None, run):
                told = point.to_dict()
                rows.append(
                    {
                        "name": name_of(replace(line.recipe, seed=point.recipe.seed)),
                        "seed": point.recipe.seed,
                        "value": str(point.recipe.value),
                        **{k: v for k, v in told.items() if k != "recipe"},
                    }
                )
    return pd.DataFrame(rows)


def to_dict(bundle: Bundle, found: Sequence[Line]) -> dict:
    """For JSON: every point with its recipe, and the area under each curve."""
    return {
        "points": bundle.points or list(RATIOS),
        "seeds": bundle.seeds,
        "precision": bundle.precision,
        "curves": [
            {
                "name": name_of(line.recipe, seed=False),
                "area": None if np.isnan(line.area) else line.area,
                "runs": [[p.to_dict() for p in run if p] for run in line.runs],
            }
            for line in found
        ],
    }
