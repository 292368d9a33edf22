"""Classification in a process of its own, so that it does not wait for the threads that draw pages.

Python runs one thread at a time. A forward pass is a series of short operations, each of which
would wait for its turn among the threads of all visitors: on a busy server, several times as long
as it computes.

The process loads the images itself and gets networks and masked parameters through a pipe. It
computes only when it is asked to, for a limited time, so that jobs can take turns. Where there is
no such process, or it has ended, the caller computes by itself.
"""

import itertools
import logging
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from multiprocessing.connection import Connection
from typing import Any

from cachetools import LRUCache
from torch import nn

from pruning.data.datasets import DATASETS
from pruning.inference.classification_messages import (
    MAX_MODELS,
    READY,
    Advance,
    Begin,
    End,
    SplitImages,
    Tallies,
)
from pruning.inference.classification_worker import work
from pruning.inference.classify import BatchTally, Replacements, classify
from pruning.inference.thread_pool import SuspensionPoint

WORKER = "pruning.inference.classification_worker"
MAX_TURN_S = 60.0
"""Seconds without an answer after which the process is killed."""
MIN_AGE_S = 10.0
"""Seconds after its start before which a process that has ended is not replaced."""

_logger = logging.getLogger(__name__)


class _ProcessLostError(Exception):
    """The process has ended."""


class _Program:
    """A new Python that runs the worker, with the interface of `multiprocessing.Process`.

    The start methods of `multiprocessing` other than fork run the main module again, which on a
    server is a page.
    """

    def __init__(self, pipe: Connection) -> None:
        descriptor = pipe.fileno()
        command = [sys.executable, "-m", WORKER, str(descriptor)]
        self._process = subprocess.Popen(command, pass_fds=[descriptor])

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()

    def join(self) -> None:
        self._process.wait()


class ClassificationProcess:
    """The process, as its parent has it.

    Parameters
    ----------
    fork : bool
        Whether it is a copy of this process.
    """

    def __init__(self, *, fork: bool) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._known_models: LRUCache = LRUCache(MAX_MODELS)  # as the process keeps them
        self._ended: deque[int] = deque()
        self._is_ready = False
        self._started = time.monotonic()
        self._connection, child = multiprocessing.Pipe()
        self._process: Any
        if fork:
            context = multiprocessing.get_context("fork")
            self._process = context.Process(
                target=work, args=[child, self._connection], daemon=True
            )
            self._process.start()
        else:
            self._process = _Program(child)
        child.close()

    @property
    def id(self) -> int:
        """Number of the process in the operating system."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended."""
        return not self._process.is_alive()

    @property
    def age(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    @property
    def is_ready(self) -> bool:
        """Whether the process has started; what it loads first takes seconds."""
        with self._lock:
            try:
                if not self._is_ready and self._connection.poll():
                    self._is_ready = self._connection.recv_bytes() == READY
            except (EOFError, OSError):  # it has ended meanwhile
                return False
            return self._is_ready

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        with self._lock:
            self._connection.close()

    def classify(
        self,
        model: nn.Module,
        replacements: Sequence[Replacements],
        images: SplitImages,
        skip: Sequence[int],
        is_done: Callable[[int], bool],
    ) -> Generator[BatchTally | SuspensionPoint]:
        """Classify as `classify_split` does.

        Parameters
        ----------
        model : nn.Module
            A network in eval mode.
        replacements : sequence of mappings from str to torch.Tensor
            For each member.
        images : SplitImages
            The images.
        skip : sequence of int
            For each member, the number of first images to leave out.
        is_done : callable
            Whether a member needs no more images.

        Yields
        ------
        BatchTally or SuspensionPoint
            A suspension point at the end of each turn.

        Raises
        ------
        _ProcessLostError
            The process has ended.
        Exception
            What the computation has raised.
        """
        number = next(self._numbers)
        self._begin(number, model, replacements, images, skip)
        members = range(len(replacements))
        try:
            while True:
                done = frozenset(member for member in members if is_done(member))
                tallies = self._advance(Advance(number, done))
                for item in tallies.items:
                    if not is_done(item.member):
                        yield item
                if tallies.is_finished:
                    return
                yield SuspensionPoint()
        finally:
            # Sent later: a generator can be finalised anywhere, also while its thread has the lock.
            self._ended.append(number)

    def _begin(
        self,
        number: int,
        model: nn.Module,
        replacements: Sequence[Replacements],
        images: SplitImages,
        skip: Sequence[int],
    ) -> None:
        with self._lock:
            is_known = self._known_models.get(id(model)) is model
            sent = None if is_known else model
            self._send(Begin(number, id(model), sent, replacements, images, skip))
            self._known_models[id(model)] = model

    def _advance(self, message: Advance) -> Tallies:
        with self._lock:
            self._send(message)
            try:
                if not self._connection.poll(MAX_TURN_S):
                    self._process.kill()
                reply = pickle.loads(self._connection.recv_bytes())
            except (EOFError, OSError) as error:
                raise _ProcessLostError from error
        if isinstance(reply, Exception):
            raise reply
        return reply

    def _send(self, message: Begin | Advance) -> None:
        """Send a message, and before it the ends of what has ended."""
        try:
            while self._ended:
                self._connection.send_bytes(pickle.dumps(End(self._ended.popleft())))
            self._connection.send_bytes(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))
        except OSError as error:
            raise _ProcessLostError from error


_process: ClassificationProcess | None = None
_replacing = threading.Lock()


def start_process(*, fork: bool = False) -> ClassificationProcess | None:
    """Start the process, from now on used by `classify_split` of this program.

    Parameters
    ----------
    fork : bool
        Whether it is a copy of this process, which shares the memory of what is imported and is
        ready at once: only before there are other threads.

    Returns
    -------
    ClassificationProcess or None
        It may take seconds until it is ready; until then `classify_split` computes in the caller,
        as it does on Windows, where there is none.
    """
    global _process
    _process = ClassificationProcess(fork=fork) if os.name == "posix" else None
    return _process


def stop_process() -> None:
    """End the process, if there is one; `classify_split` computes in the caller again."""
    global _process
    process, _process = _process, None
    if process is not None:
        process.stop()


def classify_split(
    model: nn.Module,
    replacements: Sequence[Replacements],
    images: SplitImages,
    *,
    skip: Sequence[int],
    is_done: Callable[[int], bool],
) -> Generator[BatchTally | SuspensionPoint]:
    """Classify images of a split, as `classify` does: in the process if there is one, else here.

    Parameters
    ----------
    model : nn.Module
        A network in eval mode. It is not modified.
    replacements : sequence of mappings from str to torch.Tensor
        For each member, see `classify`.
    images : SplitImages
        The images.
    skip : sequence of int
        For each member, the number of first images to leave out.
    is_done : callable
        Whether a member needs no more images.

    Yields
    ------
    BatchTally or SuspensionPoint
        See `classify`.
    """
    skip = list(skip)
    process = _process
    if process is not None and process.has_ended:
        _replace(process)
    elif process is not None and process.is_ready and DATASETS[images.dataset].own is None:
        try:
            for item in process.classify(model, replacements, images, tuple(skip), is_done):
                if isinstance(item, BatchTally):
                    skip[item.member] += item.tally.images
                yield item
            return
        except _ProcessLostError:
            _replace(process)
    data = DATASETS[images.dataset]
    yield from classify(model, replacements, images.load(), data, skip=skip, is_done=is_done)


def _replace(lost: ClassificationProcess) -> None:
    """Start another process in the place of one that has ended, once and not too often."""
    with _replacing:
        if _process is lost and lost.age > MIN_AGE_S:
            _logger.warning("the classification process has ended: another one is started")
            lost.stop()
            start_process()
