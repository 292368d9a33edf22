import gc
from collections.abc import Iterator
from typing import Any

import pytest

from pruning.engine import cluster, store
from pruning.engine import evaluate as evaluate_module
from pruning.inference.classify import BatchTally
from pruning.runtime.defaults import CLUSTER_VARIABLE
from tests.pruning.local_cluster import local_cluster
from tests.pruning.local_postgres import LocalPostgres, local_postgres


@pytest.fixture
def empty_store(request, tmp_path, monkeypatch):
    """A store of the test's own: a file, or what the parameter says (see `on_both`)."""
    if getattr(request, "param", "file") == "server":
        request.getfixturevalue("server_store")
    else:
        monkeypatch.setenv("PRUNESCOPE_STORE", str(tmp_path / "store" / "results.sqlite"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[LocalPostgres]:
    """A PostgreSQL server, one for each process of pytest."""
    with local_postgres() as server:
        yield server


@pytest.fixture
def server_store(postgres, monkeypatch) -> Iterator[LocalPostgres]:
    """The store is an empty database on a server."""
    postgres.execute("DROP TABLE IF EXISTS results")
    monkeypatch.setenv("PRUNESCOPE_STORE", postgres.address)
    yield postgres
    store.close()


@pytest.fixture(scope="module")
def local() -> Iterator[Any]:
    """A scheduler and workers as processes, for a module of tests."""
    with local_cluster() as client:
        yield client


@pytest.fixture
def closed_clients() -> Iterator[None]:
    """Clients that could not connect complain when they are collected: not in a later test."""
    yield
    cluster.forget_client()
    gc.collect()


@pytest.fixture
def client(local, closed_clients, monkeypatch, tmp_path) -> Any:
    """The cluster is that of this program, and nothing is stored or trained yet."""
    monkeypatch.setenv(CLUSTER_VARIABLE, local.scheduler.address)
    monkeypatch.setenv("PRUNESCOPE_STORE", str(tmp_path / "store.sqlite"))
    monkeypatch.setenv("PRUNESCOPE_RUNS", str(tmp_path / "runs"))
    return local


@pytest.fixture
def classified(monkeypatch) -> list[int]:
    """Number of images of every batch that `evaluate` classifies."""
    batches: list[int] = []
    classify = evaluate_module.classify_split

    def recording(*args, **options):
        for event in classify(*args, **options):
            if isinstance(event, BatchTally):
                batches.append(event.tally.images)
            yield event

    monkeypatch.setattr(evaluate_module, "classify_split", recording)
    return batches
