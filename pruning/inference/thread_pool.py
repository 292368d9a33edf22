"""As many threads as PyTorch would use, each with a piece of work of its own.

PyTorch shares out every single operation, and all threads wait for the last one, hundreds of times a second. A batch for
each thread needs no waiting: a ResNet-20 is about a tenth faster, on a machine with other work more.
"""

import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from functools import cache
from typing import TypeVar

import torch
from threadpoolctl import threadpool_limits

T = TypeVar("T")
_END = object()
_thread = threading.local()
LONG = 0.01  # seconds
NICE = 5  # pages, which people wait for, come first


def run_in_threads(walks: Iterable[Iterator[T | None]]) -> Iterator[tuple[int, T | None]]:
    """Go through several iterators at a time, one a thread, in inference mode: (number of the iterator, item) as they come.

    Nothing is begun while nobody asks for the next item, and what has begun ends before this generator does. An iterator
    may give None where it can be interrupted; that comes out, too, if it has worked for long.

    Raises
    ------
    RuntimeError : an iterator goes side by side itself, and would wait for the thread that it has.
    """
    if getattr(_thread, "works", False):
        raise RuntimeError("work that goes side by side cannot be nested")
    left, running = enumerate(walks), {}

    def begin(walk: tuple[int, Iterator[T | None]] | None) -> None:
        if walk:
            running[_pool().submit(_advance, walk[1])] = walk

    try:
        for _ in range(torch.get_num_threads()):
            begin(next(left, None))
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in sorted(done, key=lambda future: running[future][0]):
                walk = running.pop(future)
                item = future.result()
                if item is not _END:
                    yield walk[0], item
                begin(next(left, None) if item is _END else walk)
    finally:
        for future in running:
            future.cancel()
        wait(running)


def _advance(walk: Iterator[T | None]) -> T | None | object:
    began = time.perf_counter()
    with (
        torch.inference_mode()
    ):  # not for as long as the walk: in between, the thread does other work
        for item in walk:
            if item is not None or time.perf_counter() - began > LONG:
                return item
    return _END


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(torch.get_num_threads(), "evaluation", initializer=_alone)


def _alone() -> None:
    """This thread computes by itself, and after those that draw pages."""
    torch.get_num_threads()  # PyTorch sets its own number for a new thread when that is first asked for
    threadpool_limits(1, user_api="openmp")
    _thread.works = True
    if sys.platform == "linux":  # elsewhere all threads of a process have one priority
        me = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, me, max(NICE, os.getpriority(os.PRIO_PROCESS, me)))
