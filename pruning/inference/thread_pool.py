"""A pool of single-threaded workers, each of which computes its own batches.

PyTorch divides every single operation among its threads, which wait for each other hundreds of
times a second. One batch per thread needs no synchronisation: a ResNet-20 is about a tenth faster,
and more on a machine with other load.
"""

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from typing import Generic, TypeVar

import torch
from threadpoolctl import threadpool_limits

T = TypeVar("T")
YIELD_AFTER_S = 0.01  # seconds of work after which a task can be suspended
NICENESS = 10  # lower priority than the threads that draw pages

_worker = threading.local()


@dataclass(frozen=True)
class SuspensionPoint:
    """A point between the results of a task at which the task can be suspended."""


class _Status(Enum):
    FINISHED = auto()


@dataclass(frozen=True, eq=False)
class _Task(Generic[T]):
    number: int
    items: Iterator[T | SuspensionPoint]

    def advance(self) -> T | SuspensionPoint | _Status:
        """Compute the next item; suspension points are skipped before `YIELD_AFTER_S`."""
        start = time.perf_counter()
        with torch.inference_mode():  # the thread may compute an item of another task next
            for item in self.items:
                elapsed = time.perf_counter() - start
                if not isinstance(item, SuspensionPoint) or elapsed > YIELD_AFTER_S:
                    return item
        return _Status.FINISHED


def run_in_threads(
    tasks: Iterable[Iterator[T | SuspensionPoint]],
    max_threads: Callable[[], int] | None = None,
) -> Iterator[tuple[int, T | SuspensionPoint]]:
    """Run several iterators at a time, one in each thread, in inference mode.

    No item is begun between two calls of ``next`` on the returned generator, and every item that
    was begun has ended when the generator is closed.

    Parameters
    ----------
    tasks : iterable of iterators
        Taken when a thread is free. An iterator may yield a `SuspensionPoint` where it can be
        suspended; this is passed on only if it has computed for longer than `YIELD_AFTER_S`.
    max_threads : callable, optional
        ``max_threads()`` gives the number of threads, from 1, whenever one is free; by default as
        many as PyTorch has.

    Yields
    ------
    tuple of (int, item)
        Number of the iterator, and its next item, as they are computed.

    Raises
    ------
    RuntimeError
        If called in a worker thread, which would wait for itself.
    """
    if getattr(_worker, "initialised", False):
        raise RuntimeError("run_in_threads cannot be nested")
    waiting = (_Task(number, items) for number, items in enumerate(tasks))
    ready: deque[_Task] = deque()  # begun, with more items
    running: dict[Future, _Task] = {}
    limit = max_threads or torch.get_num_threads

    def start_tasks() -> None:
        while len(running) < limit():
            task = ready.popleft() if ready else next(waiting, None)
            if task is None:
                return
            running[worker_pool().submit(task.advance)] = task

    try:
        start_tasks()
        while running:
            completed, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in sorted(completed, key=lambda future: running[future].number):
                task = running.pop(future)
                item = future.result()
                if item is not _Status.FINISHED:
                    yield task.number, item
                    ready.append(task)
                start_tasks()
    finally:
        for future in running:
            future.cancel()
        wait(running)


@cache
def worker_pool() -> ThreadPoolExecutor:
    """Return the pool of the process.

    Returns
    -------
    ThreadPoolExecutor
        With as many workers as PyTorch has threads.
    """
    return ThreadPoolExecutor(torch.get_num_threads(), "evaluation", initializer=init_worker)


def init_worker() -> None:
    """Worker initialiser: one OpenMP thread, lower priority."""
    torch.get_num_threads()  # on the first call in a thread PyTorch sets that thread's number
    threadpool_limits(1, user_api="openmp")
    _worker.initialised = True
    if sys.platform == "linux":  # elsewhere all threads of a process have one priority
        thread = threading.get_native_id()
        niceness = max(NICENESS, os.getpriority(os.PRIO_PROCESS, thread))
        os.setpriority(os.PRIO_PROCESS, thread, niceness)
