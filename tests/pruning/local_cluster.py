"""A scheduler and workers on this machine, for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pruning.engine.cluster_versions import check_versions, own_versions

WORKERS = 3
CLUSTER_MARKS = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # of the scheduler and its sockets
    pytest.mark.usefixtures("closed_clients"),
]


@contextmanager
def local_cluster() -> Iterator[Any]:
    """A client of workers that are processes and have imported the package."""
    import distributed

    with (
        distributed.LocalCluster(
            n_workers=WORKERS, threads_per_worker=1, dashboard_address=None, memory_limit=0
        ) as running,
        distributed.Client(running) as client,
    ):
        client.run(check_versions, own_versions())
        yield client
