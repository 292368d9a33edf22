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
import pickle
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence

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

_logger = logging.getLogger(__name__)


class _ProcessLostError(Exception):
    """The process has ended."""


class ClassificationProcess:
    """The process, as its parent has it.

    Parameters
    ----------
    start_method : str
        ``"fork"`` or ``"spawn"``, as of `multiprocessing.get_context`.
    """

    def __init__(self, start_method: str) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._known_models: LRUCache = LRUCache(MAX_MODELS)  # as the process keeps them
        self._ended: deque[int] = deque()
        self._is_ready = False
        self._connection, child = multiprocessing.Pipe()
        context = multiprocessing.get_context(start_method)
        self._process = context.Process(  # type: ignore[attr-defined]
            target=work, args=[child, self._connection], name="classification", daemon=True
        )
        self._process.start()
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
    def is_ready(self) -> bool:
        """Whether the process has started; what it loads first takes seconds."""
        with self._lock:
            if not self._is_ready and not self.has_ended and self._connection.poll():
                self._is_ready = self._connection.recv_bytes() == READY
            return self._is_ready

    def stop(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.terminate()
        self._process.join()

    def classify(
        self,
        model: nn.Sequential,
        replacements: Sequence[Replacements],
        images: SplitImages,
        skip: Sequence[int],
        is_done: Callable[[int], bool],
    ) -> Generator[BatchTally | SuspensionPoint]:
        """Classify as `classify_split` does.

        Parameters
        ----------
        model : nn.Sequential
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
        model: nn.Sequential,
        replacements: Sequence[Replacements],
        images: SplitImages,
        skip: Sequence[int],
    ) -> None:
        with self._lock:
            is_known = self._known_models.get(id(model)) is model
            self._known_models[id(model)] = model
            sent = None if is_known else model
            self._send(Begin(number, id(model), sent, replacements, images, skip))

    def _advance(self, message: Advance) -> Tallies:
        with self._lock:
            self._send(message)
            try:
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


def start_process(*, fork: bool = False) -> ClassificationProcess:
    """Start the process, from now on used by `classify_split` of this program.

    Parameters
    ----------
    fork : bool
        Whether it is a copy of this process, which shares the memory of what is imported and is
        ready at once: only before there are other threads, and not on Windows.

    Returns
    -------
    ClassificationProcess
        It may take seconds until it is ready; until then `classify_split` computes in the caller.
    """
    global _process
    can_fork = "fork" in multiprocessing.get_all_start_methods()
    _process = ClassificationProcess("fork" if fork and can_fork else "spawn")
    return _process


def stop_process() -> None:
    """End the process, if there is one; `classify_split` computes in the caller again."""
    global _process
    process, _process = _process, None
    if process is not None:
        process.stop()


def classify_split(
    model: nn.Sequential,
    replacements: Sequence[Replacements],
    images: SplitImages,
    *,
    skip: Sequence[int],
    is_done: Callable[[int], bool],
) -> Generator[BatchTally | SuspensionPoint]:
    """Classify images of a split, as `classify` does: in the process if there is one, else here.

    Parameters
    ----------
    model : nn.Sequential
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
    elif process is not None and process.is_ready:
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
    """Start another process in the place of one that has ended, once."""
    with _replacing:
        if _process is lost:
            _logger.warning("the classification process has ended: another one is started")
            lost.stop()
            start_process()
