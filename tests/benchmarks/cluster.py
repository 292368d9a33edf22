"""A sweep on a local cluster of one and of two workers beside this process; in `make bench`."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from pruning.data import datasets
from pruning.engine import cluster
from pruning.engine.caches import clear_caches
from pruning.engine.cluster_versions import check_versions, own_versions
from pruning.engine.evaluate import evaluate
from pruning.recipe.recipe import Recipe
from pruning.runtime.defaults import CLUSTER_VARIABLE

SUBJECTS = (("lenet300", "digits", 100), ("lenet5", "mnist", 60), ("resnet20", "cifar10", 12))
"""Network, dataset, and number of points."""
WORKERS = (1, 2)
STORE_VARIABLE = "PRUNESCOPE_STORE"


def name_of(network: str, dataset: str) -> str:
    return f"a point on a cluster, {network} on {dataset}"


def names() -> list[str]:
    return [name_of(network, dataset) for network, dataset, _ in SUBJECTS]


def rows(row: Callable, is_selected: Callable[..., bool]) -> None:
    """Measure all points together in this process, then each as a task."""
    if find_spec("distributed") is None:
        print("a point on a cluster: skipped, distributed is not installed")
        return
    for network, dataset, count in SUBJECTS:
        name = name_of(network, dataset)
        if not is_selected(name) or not datasets.available(dataset):
            continue
        recipes = [Recipe.one_step(network, dataset, value=index / count) for index in range(count)]
        here = _seconds(recipes)
        for workers in WORKERS:
            with _cluster(workers):
                evaluate([recipe.with_last_step(value=0.999) for recipe in recipes[:1]])
                _seconds(recipes[:: max(1, count // 8)])  # the workers have read their files
                there = _seconds(recipes)
            peer = "together in this process"
            row(f"{name}, {workers} worker(s)", there / count, peer, here / count)


def _seconds(recipes: list[Recipe]) -> float:
    """Seconds for recipes of which nothing is stored or cached here."""
    with TemporaryDirectory() as folder:
        before = os.environ.get(STORE_VARIABLE)
        os.environ[STORE_VARIABLE] = str(Path(folder) / "store.sqlite")
        clear_caches()
        evaluate(recipes[:1])  # reads the images and the weights
        began = time.perf_counter()
        evaluate(recipes)
        seconds = time.perf_counter() - began
        if before is None:
            del os.environ[STORE_VARIABLE]
        else:
            os.environ[STORE_VARIABLE] = before
    return seconds


@contextmanager
def _cluster(workers: int) -> Iterator[None]:
    from distributed import Client, LocalCluster

    settings = {"threads_per_worker": 1, "dashboard_address": None, "memory_limit": 0}
    with LocalCluster(n_workers=workers, **settings) as running, Client(running) as client:
        client.run(check_versions, own_versions())
        os.environ[CLUSTER_VARIABLE] = running.scheduler_address
        try:
            yield
        finally:
            del os.environ[CLUSTER_VARIABLE]
            cluster.forget_client()
