"""Weights that the workers of a cluster cannot know: of runs, and of a user's network and data."""

import os
import tempfile
from functools import lru_cache
from pathlib import Path

from pruning.data.datasets import DATASETS
from pruning.engine.own_files import load_own, save_own
from pruning.engine.run_checkpoint import CARD, FOLDER_VARIABLE, WEIGHTS, runs_folder
from pruning.engine.trained_network import trained_sha256
from pruning.models import NETWORKS
from pruning.recipe.recipe import Recipe

Files = dict[str, bytes]
"""Contents by path: ``own/...`` of `save_own`, ``runs/NAME/...`` of a run."""


def key_of_files(recipe: Recipe) -> str:
    """Return what identifies the files of a recipe.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.

    Returns
    -------
    str
        Empty if a worker has all that the recipe needs.
    """
    parts = []
    if recipe.checkpoint:
        parts.append(f"{recipe.checkpoint} {trained_sha256(recipe)}")
    if _is_own(recipe):
        parts.append(f"{recipe.network} {recipe.dataset}")
    return " ".join(parts)


def _is_own(recipe: Recipe) -> bool:
    own = NETWORKS[recipe.network].own or DATASETS[recipe.dataset].own
    return own is not None


def files_of(recipe: Recipe) -> Files:
    """Read the files of a recipe.

    Parameters
    ----------
    recipe : Recipe
        With a `key_of_files`.

    Returns
    -------
    dict of str to bytes
        The files.
    """
    files: Files = {}
    if recipe.checkpoint:
        folder = runs_folder() / recipe.checkpoint
        for name in (CARD, WEIGHTS):
            files[f"runs/{recipe.checkpoint}/{name}"] = (folder / name).read_bytes()
    if _is_own(recipe):
        with tempfile.TemporaryDirectory(prefix="prunescope-") as folder_name:
            save_own(recipe.network, recipe.dataset, Path(folder_name))
            for path in Path(folder_name).iterdir():
                files[f"own/{path.name}"] = path.read_bytes()
    return files


def install(files: Files) -> None:
    """Write files into the folder of this worker, and register what is a user's.

    Parameters
    ----------
    files : dict of str to bytes
        As of `files_of`.
    """
    folder = worker_folder()
    has_own = False
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        has_own = has_own or name.startswith("own/")
    if has_own:
        load_own(folder / "own")


@lru_cache(maxsize=1)
def worker_folder() -> Path:
    """Return the folder of this worker, in which its runs and its results are.

    Returns
    -------
    Path
        Temporary; the environment of the process names it from now on.
    """
    folder = Path(tempfile.mkdtemp(prefix="prunescope-worker-"))
    os.environ[FOLDER_VARIABLE] = str(folder / "runs")
    os.environ["PRUNESCOPE_STORE"] = str(folder / "results.sqlite")
    return folder
