"""Many recipes at once: each gets an estimate soon, what they have in common is computed once, and all is remembered."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from pruning.cost.macs import Cost, cost
from pruning.data import datasets
from pruning.data.datasets import DATASETS, Images
from pruning.engine import prune as experiment
from pruning.engine import store
from pruning.engine.effective_cost import left
from pruning.engine.prune import Pruned
from pruning.inference.classify import Accuracy, Tally, batch_of, tallies_of_many
from pruning.methods.rules import count_removed
from pruning.models import checkpoints
from pruning.recipe.recipe import Recipe

EVERY = 0.02  # seconds between two reports
MEMORY = (
    24_000_000  # bytes of masked parameters at a time; the processor has its own copies of them
)
SCORING = 0.1  # of the work, about, is finding masks and costs
KEEP = 5.0  # seconds after which what was found is stored


@dataclass(frozen=True)
class Point:
    """What a recipe costs and reaches on the first images of a split of ``total``; ``share`` of the units of its last step
    are removed. ``parameters`` and ``macs`` still make a difference."""

    recipe: Recipe
    tally: Tally
    total: int
    sparsity: float
    share: float
    parameters: int
    macs: int

    @property
    def accuracy(self) -> Accuracy:
        return self.tally.accuracy(self.total)

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats."""
        return self.tally.mean_loss

    @property
    def dense(self) -> Cost:
        return cost(self.recipe.network, self.recipe.dataset)

    @property
    def dense_accuracy(self) -> float:
        """On the full test set: the card's."""
        return checkpoints.shared_card(self.recipe.network, self.recipe.dataset).test_accuracy

    @property
    def compression(self) -> float:
        """All parameters / parameters that still make a difference."""
        return self.dense.parameters / max(1, self.parameters)

    def to_dict(self) -> dict:
        """For JSON: the recipe and every number."""
        low, high = self.accuracy.interval
        return {
            "recipe": self.recipe.to_dict(),
            "sparsity": self.sparsity,
            "effective_parameters": self.parameters,
            "effective_macs": self.macs,
            "compression": self.compression,
            "accuracy": self.accuracy.value,
            "accuracy_low": low,
            "accuracy_high": high,
            "loss": self.loss,
            "images": self.tally.images,
            "of": self.total,
        }


@dataclass(frozen=True)
class Progress:
    """The points so far, in the order asked, None where nothing is known yet, and the share of the work that is done."""

    points: tuple[Point | None, ...]
    share: float


def measure(
    recipes: Sequence[Recipe],
    report: Callable[[Progress], None] = lambda progress: None,
    *,
    split: str = "test",
    precision: float | None = None,
) -> tuple[Point, ...]:
    """A point for each recipe, from the store where it is known.

    Parameters
    ----------
    report : told of the progress about every 20 ms; what it raises ends the work, and what was found until then is kept
    split : ``test``, or ``validation`` for choosing
    precision : a point is done once the half-width of its 95% interval is below; None: all images, or the recipe's number

    Raises
    ------
    ValueError : a precision that is none.
    CheckpointError, DatasetError : the network or its data cannot be had.
    """
    if precision is not None and not 0 < precision < 1:
        raise ValueError(f"precision must be between 0 and 1, such as 0.01, not {precision}")
    work = _Work(recipes, split, precision)
    try:
        work.score(report)
        work.classify(report)
        report(work.progress)
    finally:
        work.keep()
    return work.progress.points


class _Work:
    """Points as they come about. Every tally is of the first so many images, in whole batches: it can always go on."""

    def __init__(self, recipes: Sequence[Recipe], split: str, precision: float | None):
        self.recipes, self.split, self.precision = recipes, split, precision
        self.images = {r.dataset: datasets.load(r.dataset, split) for r in recipes}
        self.asked = {
            r: min(r.images or len(self.images[r.dataset]), len(self.images[r.dataset]))
            for r in recipes
        }
        known = {r: store.get(r, split) for r in self.asked}
        self.points = {
            r: _read(found, r, len(self.images[r.dataset])) for r, found in known.items() if found
        }
        self.stored = {r: point.tally.images for r, point in self.points.items()}
        for recipe, point in self.points.items():
            if not self._done(recipe) and point.tally.images % batch_of(
                experiment.model(recipe)
            ):  # it cannot go on from there
                self.points[recipe] = replace(point, tally=Tally())
        self.told = self.kept = time.perf_counter()

    @property
    def open(self) -> list[Recipe]:
        return [r for r in self.asked if r not in self.points or not self._done(r)]

    def _done(self, recipe: Recipe) -> bool:
        point = self.points[recipe]
        return point.tally.images >= self.asked[recipe] or (
            self.precision is not None
            and point.tally.images > 0
            and point.accuracy.half_width < self.precision
        )

    @property
    def progress(self) -> Progress:
        done = sum(
            self.asked[r]
            if r in self.points and self._done(r)
            else self.points[r].tally.images
            if r in self.points
            else 0
            for r in self.asked
        )
        share = SCORING * len(self.points) / max(1, len(self.asked)) + (1 - SCORING) * done / max(
            1, sum(self.asked.values())
        )
        return Progress(tuple(self._shown(r) for r in self.recipes), share)

    def _shown(self, recipe: Recipe) -> Point | None:
        point = self.points.get(recipe)
        return point if point and point.tally.images else None

    def tell(self, report: Callable[[Progress], None]) -> None:
        now = time.perf_counter()
        if now - self.told >= EVERY:
            report(self.progress)
            self.told = time.perf_counter()
        if now - self.kept >= KEEP:
            self.keep()

    def score(self, report: Callable[[Progress], None]) -> None:
        """Masks and costs of those that are not known at all."""
        for recipe in self.asked:
            if recipe not in self.points:
                for steps in range(1, len(recipe.steps) + 1):
                    experiment.ranking(
                        recipe.with_steps(recipe.steps[:steps]), lambda share: self.tell(report)
                    )
                counts, lost = left(recipe), count_removed(experiment.select(recipe))
                self.points[recipe] = Point(
                    recipe,
                    Tally(),
                    len(self.images[recipe.dataset]),
                    experiment.sparsity(recipe),
                    lost / max(1, experiment.ranking(recipe).units),
                    counts.parameters,
                    counts.macs,
                )
                self.tell(report)

    def classify(self, report: Callable[[Progress], None]) -> None:
        """Show images to all that are not done."""
        groups: dict[tuple, list[tuple[Recipe, Pruned]]] = {}
        size = 0
        for recipe in self.open:
            state = experiment.pruned(recipe)
            groups.setdefault((state.model, self.asked[recipe]), []).append((recipe, state))
            size += 4 * state.masks.bytes
            if size > MEMORY:
                self._classify(groups, report)
                groups, size = {}, 0
        self._classify(groups, report)

    def _classify(
        self,
        groups: Mapping[tuple, list[tuple[Recipe, Pruned]]],
        report: Callable[[Progress], None],
    ) -> None:
        """The same, of those that fit in memory: by network and number of images."""
        for (model, asked), members in groups.items():
            group, data = [recipe for recipe, _ in members], DATASETS[members[0][0].dataset]
            every = self.images[data.name]
            for found in tallies_of_many(
                model,
                [state.masks.apply(model) for _, state in members],
                Images(every.pixels[:asked], every.labels[:asked]),
                data,
                seen=[self.points[recipe].tally.images for recipe in group],
                done=lambda i: self._done(group[i]),
            ):
                if found:
                    point = self.points[group[found[0]]]
                    self.points[point.recipe] = replace(point, tally=point.tally + found[1])
                self.tell(report)

    def keep(self) -> None:
        """Store what is new."""
        new = {
            r: _written(point, done=self._done(r))
            for r, point in self.points.items()
            if point.tally.images > self.stored.get(r, 0)
        }
        if new and store.put(new, self.split):
            self.stored |= {r: self.points[r].tally.images for r in new}
        self.kept = time.perf_counter()


def _written(point: Point, done: bool) -> dict:
    told = {
        name: getattr(point, name) for name in ("total", "sparsity", "share", "parameters", "macs")
    }
    return told | asdict(point.tally) | {"open": not done}


def _read(found: dict, recipe: Recipe, total: int) -> Point:
    tally = Tally(tuple(found["class_correct"]), found["loss"], found["images"])
    return Point(
        recipe, tally, total, *(found[name] for name in ("sparsity", "share", "parameters", "macs"))
    )
