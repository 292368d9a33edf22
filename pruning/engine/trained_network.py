"""The trained network that a recipe starts from: the shipped one, or that of a finished run."""

import threading
from collections.abc import Hashable
from functools import lru_cache
from pathlib import Path

import torch
from cachetools import LRUCache

from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.engine.masked_network import MaskedNetwork
from pruning.engine.run_checkpoint import CARD, RunCheckpoint, load_checkpoint, runs_folder
from pruning.inference.classify import accuracy_of
from pruning.models import NETWORKS, checkpoints
from pruning.models.cards import Card
from pruning.recipe.recipe import Recipe
from pruning.runtime.errors import CheckpointError
from pruning.runtime.progress import ShareReport, ignore_progress, part_of

MAX_MEASURED_CARDS = 1_000
_measured_cards: LRUCache = LRUCache(MAX_MEASURED_CARDS)
_measuring = threading.Lock()
"""Of the measured cards, which several threads change."""


def trained_network(recipe: Recipe) -> MaskedNetwork:
    """Return the trained network of a recipe.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.

    Returns
    -------
    MaskedNetwork
        Shared and never modified; with masks if it is the network of a run.

    Raises
    ------
    CheckpointError
        If the checkpoint is missing or broken, or is one of another network or dataset.
    """
    if not recipe.checkpoint:
        return MaskedNetwork(checkpoints.shared_model(recipe.network, recipe.dataset))
    return _run_of(recipe).network


def trained_card(recipe: Recipe) -> Card:
    """Return the card of the trained network of a recipe.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.

    Returns
    -------
    Card
        Its accuracy, and how it was trained.

    Raises
    ------
    CheckpointError
        See `trained_network`.
    """
    if recipe.checkpoint:
        return _run_of(recipe).card
    return card_of(recipe.network, recipe.dataset)


def card_of(network: str, dataset: str) -> Card:
    """Return the card of a trained network; that of a user's network is measured once.

    Parameters
    ----------
    network, dataset : str
        Names in ``NETWORKS`` and ``DATASETS``.

    Returns
    -------
    Card
        Its accuracy, and how it was trained.

    Raises
    ------
    CheckpointError
        If there is no such checkpoint, or it is not valid.
    """
    known = known_card(network, dataset)
    return measure_card(network, dataset) if known is None else known


def check_checkpoint(recipe: Recipe) -> None:
    """Check that there is the trained network of a recipe; nothing is measured.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.

    Raises
    ------
    CheckpointError
        See `trained_network`.
    """
    if recipe.checkpoint:
        _run_of(recipe)
    else:
        known_card(recipe.network, recipe.dataset)


def known_card(network: str, dataset: str) -> Card | None:
    """Return the card of a trained network, if nothing has to be measured for it.

    Parameters
    ----------
    network, dataset : str
        Names in ``NETWORKS`` and ``DATASETS``.

    Returns
    -------
    Card or None
        None for a user's network that is not measured yet.

    Raises
    ------
    CheckpointError
        See `card_of`.
    """
    if NETWORKS[network].own is None:
        return checkpoints.shared_card(network, dataset)
    with _measuring:
        return _measured_cards.get((network, dataset))


def measure_card(network: str, dataset: str, report: ShareReport = ignore_progress) -> Card:
    """Measure the accuracy of a user's network.

    Parameters
    ----------
    network, dataset : str
        Names in ``NETWORKS`` and ``DATASETS``.
    report : callable
        Called with the share of the images that are classified.

    Returns
    -------
    Card
        It is kept: `card_of` returns it.
    """
    own = NETWORKS[network].own
    assert own is not None
    data = DATASETS[dataset]
    chosen, tests = datasets.load(dataset, "validation"), datasets.load(dataset, "test")
    share = len(chosen) / (len(chosen) + len(tests))
    validation = accuracy_of(own.model, chosen, data, report=part_of(report, 0.0, share))
    test = accuracy_of(own.model, tests, data, report=part_of(report, share, 1.0))
    unknown = "unknown"
    card = Card(
        network=network,
        dataset=dataset,
        test_accuracy=test,
        test_correct=round(test * len(tests)),
        test_images=len(tests),
        validation_accuracy=validation,
        epochs=0,
        batch=0,
        optimizer=unknown,
        schedule=unknown,
        augmentation=unknown,
        precision="float32",
        seed=0,
        versions={"torch": torch.__version__},
        seconds=0.0,
        weights_sha256=own.weights_sha256,
        train_data_sha256="",
    )
    with _measuring:
        _measured_cards[network, dataset] = card
    return card


def trained_sha256(recipe: Recipe) -> str:
    """Return the hash of the trained weights of a recipe.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.

    Returns
    -------
    str
        sha256, hexadecimal.

    Raises
    ------
    CheckpointError
        See `trained_network`.
    """
    own = NETWORKS[recipe.network].own
    if own is not None and not recipe.checkpoint:
        return own.weights_sha256
    return trained_card(recipe).weights_sha256


def cache_key(recipe: Recipe) -> Hashable:
    """Return the key of what is cached for a recipe.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.

    Returns
    -------
    hashable
        The recipe; with a run also the hash of its weights, because a run can be deleted and made
        again.
    """
    if not recipe.checkpoint:
        return recipe
    return recipe, trained_sha256(recipe)


def _run_of(recipe: Recipe) -> RunCheckpoint:
    folder = runs_folder() / recipe.checkpoint
    run = shared_run(folder, _modified(folder))
    if (run.card.network, run.card.dataset) != (recipe.network, recipe.dataset):
        raise CheckpointError(
            f"the run {recipe.checkpoint} is of {run.card.network} on {run.card.dataset}, "
            f"not of {recipe.network} on {recipe.dataset}"
        )
    return run


def _modified(folder: Path) -> int:
    """Time of the card, so that a run that was deleted or made again is read again; 0 if none."""
    try:
        return (folder / CARD).stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=8)
def shared_run(folder: Path, modified_ns: int) -> RunCheckpoint:
    """Return the one copy of the network of a run that all threads share.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    modified_ns : int
        Part of the key of the cache.

    Returns
    -------
    RunCheckpoint
        Network and card.

    Raises
    ------
    CheckpointError
        See `load_checkpoint`.
    """
    return load_checkpoint(folder)
