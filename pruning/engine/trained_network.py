"""The trained network that a recipe starts from: the shipped one, or that of a finished run."""

from collections.abc import Hashable
from functools import lru_cache
from pathlib import Path

from pruning.engine.masked_network import MaskedNetwork
from pruning.engine.run_checkpoint import CARD, RunCheckpoint, load_checkpoint, runs_folder
from pruning.models import checkpoints
from pruning.models.cards import Card
from pruning.recipe.recipe import Recipe
from pruning.runtime.errors import CheckpointError


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
    if not recipe.checkpoint:
        return checkpoints.shared_card(recipe.network, recipe.dataset)
    return _run_of(recipe).card


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
    return recipe, trained_card(recipe).weights_sha256


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
