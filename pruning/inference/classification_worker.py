"""The classification process: it answers the messages of its parent, and ends with it.

``python -m pruning.inference.classification_worker DESCRIPTOR`` runs it with an inherited pipe.
"""

import pickle
import signal
import sys
import time
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection

import torch
from cachetools import LRUCache

from pruning.data.datasets import DATASETS
from pruning.inference.classification_messages import (
    MAX_MODELS,
    READY,
    Advance,
    Begin,
    End,
    Tallies,
)
from pruning.inference.classify import BatchTally, classify
from pruning.inference.thread_pool import SuspensionPoint
from pruning.runtime.malloc import ALLOCATOR

TURN_S = 0.02
"""Seconds of computation after which the process reports."""
BUSY_BEGINS, BUSY_S = 6, 1.0
"""The process is busy while so many classifications begin in so many seconds."""


class Classifications:
    """The classifications in progress, in the process itself."""

    def __init__(self) -> None:
        self._models: LRUCache = LRUCache(MAX_MODELS)
        self._running: dict[int, Iterator[BatchTally | SuspensionPoint]] = {}
        self._done: dict[int, Collection[int]] = {}
        self._last_begins: deque[float] = deque(maxlen=BUSY_BEGINS)

    def begin(self, message: Begin) -> None:
        """Begin a classification.

        Parameters
        ----------
        message : Begin
            What to classify.
        """
        self._last_begins.append(time.monotonic())
        model = message.model
        if model is None:
            model = self._models[message.model_number]
        self._models[message.model_number] = model
        self._done[message.number] = frozenset()
        self._running[message.number] = classify(
            model,
            message.replacements,
            message.images.load(),
            DATASETS[message.images.dataset],
            skip=message.skip,
            is_done=lambda member: member in self._done[message.number],
            max_threads=self.max_threads,
        )

    def max_threads(self) -> int:
        """Return how many threads classify: one while the process is busy.

        Pages are then drawn on the other processor cores.

        Returns
        -------
        int
            At least 1.
        """
        many = len(self._last_begins) == BUSY_BEGINS
        is_busy = many and time.monotonic() - self._last_begins[0] < BUSY_S
        return 1 if is_busy else torch.get_num_threads()

    def advance(self, message: Advance) -> Tallies:
        """Continue a classification for `TURN_S`.

        Parameters
        ----------
        message : Advance
            Which one.

        Returns
        -------
        Tallies
            What is new.
        """
        self._done[message.number] = message.done
        end = time.perf_counter() + TURN_S
        items = []
        for item in self._running[message.number]:
            if isinstance(item, BatchTally):
                items.append(item)
            if time.perf_counter() >= end:
                return Tallies(tuple(items), is_finished=False)
        return Tallies(tuple(items), is_finished=True)

    def end(self, message: End) -> None:
        """End a classification; what is being computed ends first.

        Parameters
        ----------
        message : End
            Which one.
        """
        running = self._running.pop(message.number, None)
        if running is not None:
            running.close()  # type: ignore[attr-defined]
        self._done.pop(message.number, None)
        ALLOCATOR.trim()


def work(parent: Connection, end_of_parent: Connection) -> None:
    """Run as the classification process, a copy of the parent.

    Parameters
    ----------
    parent : Connection
        The pipe to the parent.
    end_of_parent : Connection
        The parent's end of it, which a copy of the parent has too: it must be closed here, or the
        end of the parent would not be noticed.
    """
    end_of_parent.close()
    _run(parent)


def _run(parent: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is sent to both
    ALLOCATOR.limit_arenas()
    with suppress(ConnectionError):  # the parent has ended during a turn
        serve(parent)


def serve(parent: Connection) -> None:
    """Answer messages until the parent ends.

    Parameters
    ----------
    parent : Connection
        The pipe to the parent.
    """
    classifications = Classifications()
    failed: dict[int, Exception] = {}
    parent.send_bytes(READY)
    while True:
        try:
            message = pickle.loads(parent.recv_bytes())
        except (EOFError, ConnectionError):
            return
        try:
            reply = _answer(classifications, message, failed)
        except Exception as error:  # raised again in the parent, when it asks for tallies
            reply = failed[message.number] = _sendable(error)
        if isinstance(message, Advance):
            parent.send_bytes(pickle.dumps(reply, pickle.HIGHEST_PROTOCOL))


def _sendable(error: Exception) -> Exception:
    try:
        pickle.dumps(error)
    except Exception:  # whatever its attributes raise
        return RuntimeError(repr(error))
    return error


def _answer(
    classifications: Classifications,
    message: Begin | Advance | End,
    failed: dict[int, Exception],
) -> Tallies | Exception | None:
    if isinstance(message, Begin):
        classifications.begin(message)
        return None
    if isinstance(message, End):
        failed.pop(message.number, None)
        classifications.end(message)
        return None
    if message.number in failed:
        return failed[message.number]
    return classifications.advance(message)


if __name__ == "__main__":
    _run(Connection(int(sys.argv[1])))
