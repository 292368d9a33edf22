"""Predictions of several networks for every test image: what pruning changed, image by image."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import torch

from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.engine.caches import cached
from pruning.engine.masked_network import MaskedNetwork
from pruning.engine.prune import prune
from pruning.engine.trained_network import cache_key
from pruning.inference.predict import BatchLogits, predict_batches
from pruning.inference.predictions import Predictions
from pruning.recipe.recipe import Recipe
from pruning.runtime.errors import PrunescopeError
from pruning.runtime.progress import ShareReport, ignore_progress
from pruning.training.run_files import RunFiles

CHUNK = 1_000
"""Images by which no network is ahead of another: a multiple of every batch size."""
CACHE_BYTES = 48_000_000
RESULTS_OF_A_SET = 64
"""As how many results the job cache counts a set of predictions."""


@dataclass(frozen=True)
class Stage:
    """A network whose predictions are compared.

    Parameters
    ----------
    name : str
        What has happened to it, such as "pruned".
    recipe : Recipe
        Gives the network.
    """

    name: str
    recipe: Recipe


@dataclass(frozen=True, eq=False)
class PredictionSet:
    """Predictions of several networks for the same images.

    Parameters
    ----------
    predictions : tuple of Predictions
        One for each network.
    """

    predictions: tuple[Predictions, ...]
    result_count = RESULTS_OF_A_SET


SetReport = Callable[[float, PredictionSet | None], None]
"""Called with the share that is done, and the predictions of the first images once all networks
have some."""


def _ignore(share: float, predictions: PredictionSet | None) -> None:
    pass


def stages(recipe: Recipe) -> tuple[Stage, ...]:
    """Return the networks that lead to a recipe, the dense one first.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.

    Returns
    -------
    tuple of Stage
        Dense and pruned; with a recovery also the network after it. Of a run: dense, pruned by the
        recipe of the run without training, and retrained.
    """
    recipe = recipe.on_all_images
    dense = Stage("dense", replace(recipe.unpruned, checkpoint=""))
    if not recipe.checkpoint:
        pruned = Stage("pruned", recipe.without_recovery)
        return (dense, pruned, Stage("recovered", recipe)) if recipe.recovery else (dense, pruned)
    retrained = Stage("retrained", recipe)
    try:
        untrained = RunFiles(recipe.checkpoint).spec().recipe.on_all_images
    except PrunescopeError:  # a run of another project's file: only its network is known
        return dense, retrained
    return dense, Stage("pruned, not retrained", untrained), retrained


def predict(recipes: Sequence[Recipe], report: SetReport = _ignore) -> PredictionSet:
    """Classify all test images by several networks.

    Parameters
    ----------
    recipes : sequence of Recipe
        Recipes of one dataset.
    report : callable
        Called after every batch; an exception that it raises ends the work.

    Returns
    -------
    PredictionSet
        In the order of the recipes; complete predictions are cached.

    Raises
    ------
    CheckpointError, DatasetError
        A trained network or its data are missing or broken.
    """
    [dataset] = {recipe.dataset for recipe in recipes}
    images = len(datasets.load(dataset, "test"))
    parts = [_Part(recipe) for recipe in recipes]

    def report_parts() -> None:
        done = min(part.done for part in parts)
        share = sum(part.done for part in parts) / (images * len(parts))
        report(share, _set_of(parts, done) if done else None)

    for end in range(CHUNK, images + CHUNK, CHUNK):
        for part in parts:
            part.predict_until(min(end, images), report_parts)
    return _set_of(parts, images)


def _set_of(parts: Sequence["_Part"], images: int) -> PredictionSet:
    return PredictionSet(tuple(part.predictions.first(images) for part in parts))


class _Part:
    """The predictions of one network, as far as they are computed."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._images = datasets.load(recipe.dataset, "test")
        self._network: MaskedNetwork | None = None
        key = cache_key(recipe)
        if _complete.is_cached(key):
            self.predictions = _complete(recipe, None)
            self.done = len(self._images)
            return
        classes = len(DATASETS[recipe.dataset].classes)
        probabilities = np.zeros((len(self._images), classes), np.float32)
        labels = self._images.labels.numpy()
        self.predictions = Predictions(probabilities, labels, len(labels))
        self.done = 0

    def predict_until(self, end: int, report: Callable[[], None]) -> None:
        """Classify the images up to an index."""
        if self.done >= end:
            return
        if self._network is None:
            self._network = _network_of(self.recipe, lambda share: report())
        batches = predict_batches(
            self._network.model,
            self._network.masked_parameters(),
            self._images,
            DATASETS[self.recipe.dataset],
            self.done,
            end,
        )
        with closing(batches):  # at once where a report raises an exception
            for item in batches:
                if isinstance(item, BatchLogits):
                    rows = slice(item.start, item.start + len(item.values))
                    probabilities = torch.softmax(item.values.double(), 1).float()
                    self.predictions.probabilities[rows] = probabilities.numpy()
                report()
        self.done = end
        if end == len(self._images):
            _complete(self.recipe, self.predictions)


def _network_of(recipe: Recipe, report: ShareReport = ignore_progress) -> MaskedNetwork:
    return prune(recipe, report).recover(report).network


@cached(
    "predictions, bytes",
    max_size=CACHE_BYTES,
    key=lambda recipe, predictions: cache_key(recipe),
    size_of=lambda predictions: predictions.probabilities.nbytes,
)
def _complete(recipe: Recipe, predictions: Predictions | None) -> Predictions:
    """Remember the complete predictions of a recipe; with None, return the remembered ones."""
    if predictions is None:  # dropped by another thread since `is_cached`
        return predict([recipe]).predictions[0]
    return predictions
