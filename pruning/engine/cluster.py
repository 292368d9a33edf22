"""Evaluations on a cluster of Dask: a task for each recipe, on whatever machine is free.

The address of the scheduler comes from the command line or the environment, never from a visitor:
whoever reaches a scheduler can run code on its workers.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pruning.data.datasets import DATASETS
from pruning.engine import store
from pruning.engine.cluster_files import files_of, key_of_files
from pruning.engine.cluster_versions import ClusterError, own_versions
from pruning.engine.stored_result import StoredResult
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_to_dict
from pruning.runtime.defaults import CLUSTER_VARIABLE
from pruning.runtime.errors import PrunescopeError

if TYPE_CHECKING:
    from distributed import Client, Future

MIN_RECIPES = 4
"""Fewer recipes are evaluated on this machine: such as a move of a slider."""
RETRIES = 2
CONNECT_S = 10
LOST_S = 15.0
"""Time without a scheduler after which it is given up."""
POLL_S = 0.05


def cluster_address() -> str:
    """Return the address of the scheduler.

    Returns
    -------
    str
        Of the environment variable ``PRUNESCOPE_CLUSTER``, such as ``tcp://scheduler:8786``; empty
        if there is none.
    """
    return os.environ.get(CLUSTER_VARIABLE, "")


def evaluate_on_cluster(
    recipes: Sequence[Recipe],
    split: str,
    precision: float | None,
    check: Callable[[], None],
) -> Generator[tuple[Recipe, StoredResult]]:
    """Evaluate recipes on the cluster, each in a task whose key is that of its stored result.

    Parameters
    ----------
    recipes : sequence of Recipe
        Different recipes.
    split : str
        ``"test"`` or ``"validation"``.
    precision : float or None
        As of `evaluate`.
    check : callable
        Called often; if it raises, the tasks that no other process waits for are dropped.

    Yields
    ------
    tuple of Recipe and StoredResult
        As they are finished.

    Raises
    ------
    ClusterError
        The scheduler is not there or is lost, has no worker, or a worker has other versions, images
        or weights.
    """
    client = connected_client()
    waiting = _submit(client, recipes, split, precision)
    try:
        while waiting:
            for future in finished_futures(client, waiting, check):
                recipe = waiting.pop(future)
                classes = len(DATASETS[recipe.dataset].classes)
                yield recipe, StoredResult.from_dict(result_of(future), classes)
    finally:
        for future in waiting:
            future.release()


def finished_futures(
    client: "Client", waiting: "Iterable[Future]", check: Callable[[], None]
) -> "list[Future]":
    """Wait until a task has ended.

    Parameters
    ----------
    client : Client
        Of the cluster.
    waiting : iterable of Future
        Tasks.
    check : callable
        Called often; it may raise.

    Returns
    -------
    list of Future
        Those that have ended, at least one.

    Raises
    ------
    ClusterError
        The scheduler is lost.
    """
    lost_since = None
    while True:
        check()
        finished = [future for future in waiting if future.done()]
        if finished:
            return finished
        lost_since = _time_of_loss(client, lost_since)
        time.sleep(POLL_S)


def _submit(
    client: "Client", recipes: Sequence[Recipe], split: str, precision: float | None
) -> "dict[Future, Recipe]":
    from pruning.engine.cluster_worker import evaluate_task

    shipped: dict[str, Any] = {}
    futures = {}
    for recipe in recipes:
        name = key_of_files(recipe)
        if name and name not in shipped:  # weights that workers cannot know travel once
            shipped[name] = client.scatter(files_of(recipe), broadcast=True)
        result_key = store.key(recipe, split)
        future = client.submit(
            evaluate_task,
            json.dumps(recipe_to_dict(recipe)),
            split,
            precision,
            result_key,
            own_versions(),
            shipped.get(name),
            key=f"prunescope-{result_key}-{recipe.max_test_images}-{precision}",
            pure=True,
            retries=RETRIES,
        )
        futures[future] = recipe
    return futures


def result_of(future: "Future") -> Any:
    """Return the result of a task that has ended.

    Parameters
    ----------
    future : Future
        The task.

    Returns
    -------
    object
        What it has returned.

    Raises
    ------
    PrunescopeError
        What the task has raised, or a sentence about it.
    """
    error = future.exception()
    if isinstance(error, PrunescopeError):
        raise error
    if error is not None:
        kind = type(error).__name__
        raise ClusterError(f"a task of the cluster has failed ({kind}: {str(error)[:200]})")
    return future.result()


def _time_of_loss(client: "Client", lost_since: float | None) -> float | None:
    """Return since when the scheduler does not answer; None if it does."""
    if client.status == "running":
        return None
    now = time.monotonic()
    if lost_since is not None and now - lost_since > LOST_S:
        forget_client()
        raise ClusterError(
            f"the scheduler at {cluster_address()} is lost: every finished result is kept, and the "
            "same command continues there"
        )
    return lost_since or now


_clients: "dict[str, Client]" = {}
"""The connection of this program, by the address of its scheduler."""
_connecting = threading.Lock()


def connected_client() -> "Client":
    """Return the client of this program.

    Returns
    -------
    Client
        Of the scheduler of `cluster_address`, which has a worker.

    Raises
    ------
    ClusterError
        There is no scheduler, or it has no worker.
    """
    address = cluster_address()
    with _connecting:
        client = _clients.get(address)
        if client is None or client.status not in ("running", "connecting"):
            forget_client()
            client = _clients[address] = _new_client(address)
    if not client.nthreads():
        raise ClusterError(
            f"the scheduler at {address} has no worker: start some with "
            f"`dask worker {address} --nthreads 1`"
        )
    return client


def _new_client(address: str) -> "Client":
    if find_spec("distributed") is None:
        raise ClusterError("a cluster needs distributed: run `pip install prunescope[cluster]`")
    from distributed import Client

    try:
        return Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"there is no scheduler at {address}: start one with `dask scheduler`, or leave out "
            "--cluster and PRUNESCOPE_CLUSTER"
        ) from error


def count_workers() -> int:
    """Return the number of workers of the cluster.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    ClusterError
        As `connected_client`.
    """
    return len(connected_client().nthreads())


def forget_client() -> None:
    """Close the connection of this program, if it has one; the next use opens another."""
    while _clients:
        _, client = _clients.popitem()
        client.close(timeout=1)
