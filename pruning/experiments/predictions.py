"""Predictions of several networks for every test image: what pruning changed, image by image."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import torch

from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.engine.caches import StoredValues
from pruning.engine.masked_network import MaskedNetwork
from pruning.engine.prune import prune
from pruning.engine.trained_network import cache_key, trained_card
from pruning.inference.predict import BatchLogits, predict_batches
from pruning.inference.predictions import Predictions
from pruning.recipe.recipe import Recipe
from pruning.runtime.errors import PrunescopeError
from pruning.runtime.progress import ShareReport, ignore_progress
from pruning.training.run_files import RunFiles

CHUNK = 1_000
"""Images by which no network is ahead of another: a multiple of every batch size."""
CACHE_BYTES = 64_000_000


@dataclass(frozen=True)
class Stage:
    """A network whose predictions are compared.

    Parameters
    ----------
    name : str
        What has happened to it, such as "pruned".
    recipe : Recipe
        Gives the network.
    is_repaired : bool
        Whether a recovery or training has followed the pruning of the stage before.
    """

    name: str
    recipe: Recipe
    is_repaired: bool = False


@dataclass(frozen=True, eq=False)
class PredictionSet:
    """Predictions of several networks for the same images.

    Parameters
    ----------
    predictions : tuple of Predictions
        One for each network.
    """

    predictions: tuple[Predictions, ...]


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
        Dense; of a run what its recipe leaves without training, and its network; then what the
        steps leave, and the network after the recovery, if there are any.
    """
    recipe = recipe.on_all_images
    networks = [Stage("dense", replace(recipe.unpruned, checkpoint=""))]
    if recipe.checkpoint:
        networks += _stages_of_run(recipe)
    if not recipe.checkpoint or not _removes_nothing(recipe):
        name = "retrained, pruned" if recipe.checkpoint else "pruned"
        networks.append(Stage(name, recipe.without_recovery))
    if recipe.recovery:
        networks.append(Stage("recovered", recipe, is_repaired=True))
    return tuple(networks)


def _stages_of_run(recipe: Recipe) -> list[Stage]:
    """Return the network of a run, and before it what its recipe leaves without training."""
    retrained = Stage("retrained", recipe.unpruned, is_repaired=True)
    try:
        untrained = RunFiles(recipe.checkpoint).spec().recipe.on_all_images
        trained_card(untrained)  # it may have begun from a run that is not there any more
    except PrunescopeError:
        return [retrained]
    return [Stage("pruned, not retrained", untrained), retrained]


def _removes_nothing(recipe: Recipe) -> bool:
    return all(step.rule == "sparsity" and step.value == 0 for step in recipe.steps)


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


def known_predictions(recipes: Sequence[Recipe]) -> PredictionSet | None:
    """Return predictions that are cached.

    Parameters
    ----------
    recipes : sequence of Recipe
        As of `predict`.

    Returns
    -------
    PredictionSet or None
        None if those of a recipe are not complete, or were dropped from the cache.
    """
    found = [_complete.get(cache_key(recipe)) for recipe in recipes]
    if any(each is None for each in found):
        return None
    return PredictionSet(tuple(each for each in found if each is not None))


def _set_of(parts: Sequence["_Part"], images: int) -> PredictionSet:
    return PredictionSet(tuple(part.predictions.first(images) for part in parts))


class _Part:
    """The predictions of one network, as far as they are computed."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._images = datasets.load(recipe.dataset, "test")
        self._network: MaskedNetwork | None = None
        known = _complete.get(cache_key(recipe))
        if known is not None:
            self.predictions, self.done = known, len(self._images)
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
            _complete.put(cache_key(self.recipe), self.predictions)


def _network_of(recipe: Recipe, report: ShareReport = ignore_progress) -> MaskedNetwork:
    return prune(recipe, report).recover(report).network


def _bytes(predictions: Predictions) -> int:
    """Memory of predictions with their cached properties; the labels are those of the dataset."""
    return predictions.probabilities.nbytes + 24 * len(predictions)


_complete: StoredValues[Predictions] = StoredValues(
    "predictions, bytes", max_size=CACHE_BYTES, size_of=_bytes
)
