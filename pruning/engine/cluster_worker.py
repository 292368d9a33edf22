"""What a worker of a cluster does."""

import json
from dataclasses import replace
from typing import Any

import torch

from pruning.engine import store
from pruning.engine.cluster_files import Files, install, worker_folder
from pruning.engine.cluster_versions import ClusterError, check_versions
from pruning.engine.evaluate import evaluate
from pruning.engine.stored_result import StoredResult
from pruning.recipe.serialization import recipe_from_dict


def evaluate_task(
    recipe_text: str,
    split: str,
    precision: float | None,
    result_key: str,
    versions: dict[str, str],
    files: Files | None,
) -> dict[str, Any]:
    """Evaluate one recipe, with one thread.

    Parameters
    ----------
    recipe_text : str
        The recipe, as JSON.
    split, precision
        As of `evaluate`.
    result_key : str
        As of `store.key`, which depends on the weights and the images.
    versions : dict of str to str
        As of `own_versions`.
    files : dict of str to bytes or None
        As of `files_of`.

    Returns
    -------
    dict
        The stored result, with effective costs.

    Raises
    ------
    ClusterError
        This machine has other versions, weights or images than the one that asks.
    """
    check_versions(versions)
    torch.set_num_threads(1)
    worker_folder()
    if files is not None:
        install(files)
    recipe = recipe_from_dict(json.loads(recipe_text))
    if store.key(recipe, split) != result_key:
        raise ClusterError(
            f"a worker has other weights of {recipe.network} or other images of {recipe.dataset} "
            "than this machine: give all machines the same files"
        )
    [evaluation] = evaluate([recipe], split, precision)
    is_unfinished = not evaluation.accuracy.complete and precision is not None
    complete = replace(evaluation, known_effective=evaluation.effective)
    return StoredResult.of(complete, is_unfinished=is_unfinished).to_dict()
