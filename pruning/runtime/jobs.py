"""Long work off the page: one computation per key, progress, and an end as soon as nobody wants it.

A piece of work is ``work(report) -> result``. It calls ``report(progress)`` often: that publishes the progress, ends
the work with `Cancelled` when nobody follows it any more, and lets others have a turn. Only one piece computes at a
time (eight at once would each take eight times as long), and the next turn goes to whoever has had the least: a
slider's short work is not held up by another visitor's long one.
"""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Hashable
from typing import Any

from cachetools import LRUCache

from pruning.runtime.errors import Cancelled, PrunescopeError
from pruning.runtime.malloc import trim

MAX_WAIT_CREDIT_S = (
    2.0  # seconds that a piece of work waits for others at most because of what it has had
)


class FairLock:
    """A lock that is handed on by who has held it least. Waiting counts for as much as not having held it, so that
    long work still gets its turns among many visitors' short ones."""

    def __init__(self):
        self._free = threading.Condition()
        self._waiting: list[tuple[float, int]] = []
        self._tickets = itertools.count()
        self._taken = False

    def acquire(self, held: float) -> None:
        with self._free:
            mine = (time.monotonic() + held, next(self._tickets))
            heapq.heappush(self._waiting, mine)
            self._free.wait_for(lambda: not self._taken and self._waiting[0] == mine)
            heapq.heappop(self._waiting)
            self._taken = True

    def release(self) -> None:
        with self._free:
            self._taken = False
            self._free.notify_all()


class Job:
    """A running or finished piece of work. ``progress`` is the last thing reported."""

    def __init__(self, key: Hashable, work: Callable, turns: FairLock):
        self.key = key
        self.subscribers: set[Hashable] = set()
        self.progress: Any = None
        self.done = False
        self._work, self._turns = work, turns
        self._result: Any = None
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._held = 0.0
        self._since = 0.0
        self._first: tuple[float, float] | None = None

    @property
    def result(self) -> Any:
        """What the work returned; raises what it raised."""
        if self._error:
            raise self._error
        return self._result

    @property
    def size(self) -> int:
        """In results: a curve counts its points."""
        return len(self._result) if isinstance(self._result, tuple) else 1

    @property
    def error(self) -> BaseException | None:
        return self._error

    @property
    def failed(self) -> bool:
        return self._error is not None

    def seconds_left(self, share: float) -> float | None:
        """At the speed since somebody first asked; what was known before took no time. Nothing is told too early."""
        if self._first is None:
            self._first = (time.monotonic(), share)
        since, before = self._first
        taken = time.monotonic() - since
        return (
            taken * (1 - share) / (share - before) if share - before > 0.02 and taken > 2 else None
        )

    def wait(
        self, enough: Callable[[Any], bool] = lambda progress: False, timeout: float | None = None
    ) -> bool:
        """Wait until the work is done or its progress is enough; False when the time ran out first."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self.done or (self.progress is not None and enough(self.progress)), timeout
            )

    def report(self, progress: Any) -> None:
        if not self.subscribers:
            raise Cancelled("nobody wants this any more")
        with self._changed:
            self.progress = progress
            self._changed.notify_all()
        self._rest()
        trim()
        self._begin()
        if not self.subscribers:  # they left while it waited
            raise Cancelled("nobody wants this any more")

    def _begin(self) -> None:
        self._turns.acquire(min(self._held, MAX_WAIT_CREDIT_S))
        self._since = time.perf_counter()

    def _rest(self) -> None:
        self._held += time.perf_counter() - self._since
        self._turns.release()

    def run(self) -> None:
        self._begin()
        try:
            if not self.subscribers:
                raise Cancelled("nobody wants this any more")
            self._result = self._work(self.report)
        except Exception as error:  # raised again by `result`, in the thread that asks
            self._error = error
            if not isinstance(error, PrunescopeError):
                logging.getLogger(__name__).exception("work on %s failed", self.key)
        finally:
            self._work = None  # what it holds is not needed any more
            self._rest()
            trim()

    def finish(self) -> None:
        with self._changed:
            self.done = True
            self._changed.notify_all()


class Busy(PrunescopeError):
    """More work waits than the server will take on."""


class Jobs:
    """Work by key, of which at most ``limit`` runs or waits. Each subscriber follows one key at a time; following another lets go
    of the first."""

    def __init__(self, remember: int = 4096, limit: int = 512):
        self._limit = limit
        self._lock = threading.RLock()
        self._turns = FairLock()
        self._running: dict[Hashable, Job] = {}
        self._followed: dict[Hashable, Job] = {}
        self._finished: LRUCache = LRUCache(remember, getsizeof=lambda job: job.size)

    def subscribe(
        self, subscriber: Hashable, key: Hashable, work: Callable[[Callable], Any]
    ) -> Job:
        """The job of this key: remembered, running, or started now.

        Raises
        ------
        Busy : it would be one too many.
        """
        with self._lock:
            if key in self._finished:
                self.unsubscribe(subscriber)
                return self._finished[key]
            job = self._running.get(key)
            new = job is None or not (
                job.subscribers or job.done
            )  # a job that all have left is about to end
            if new and len(self._running) >= self._limit:
                raise Busy(
                    f"{len(self._running)} computations are running or waiting on this server: try again in a moment"
                )
            if new:
                job = self._running[key] = Job(key, work, self._turns)
            if self._followed.get(subscriber) is not job:
                self.unsubscribe(subscriber)
                self._followed[subscriber] = job
                job.subscribers.add(subscriber)
            if new:
                threading.Thread(target=self._run, args=[job], daemon=True).start()
            return job

    def unsubscribe(self, subscriber: Hashable) -> None:
        """This subscriber wants nothing now; work that nobody else follows ends at its next report."""
        with self._lock:
            job = self._followed.pop(subscriber, None)
            if job:
                job.subscribers.discard(subscriber)

    def subscribers_where(self, which: Callable[[Hashable], bool]) -> list[Hashable]:
        """Those of the owners that follow something."""
        with self._lock:
            return [subscriber for subscriber in self._followed if which(subscriber)]

    def subscription(self, subscriber: Hashable) -> Job | None:
        with self._lock:
            return self._followed.get(subscriber)

    def running(self, key: Hashable) -> Job | None:
        """The job of a key that is being worked on for somebody."""
        with self._lock:
            job = self._running.get(key)
            return job if job and job.subscribers and not job.done else None

    def unsubscribe_where(
        self, gone: Callable[[Hashable], bool], key: Hashable | None = None
    ) -> None:
        """Leave the work, of this key if there is one, for owners that are ``gone``."""
        with self._lock:
            for subscriber in [
                subscriber
                for subscriber, job in self._followed.items()
                if key in (None, job.key) and gone(subscriber)
            ]:
                self.unsubscribe(subscriber)

    def cached_result(self, key: Hashable) -> Any | None:
        """The remembered result of a key, or None."""
        with self._lock:
            job = self._finished.get(key)
            return job.result if job else None

    def forget(self, key: Hashable) -> None:
        """Compute it again when it is next asked for."""
        with self._lock:
            self._finished.pop(key, None)

    def remember(self, key: Hashable, result: Any) -> None:
        """Keep a result that came about inside other work."""
        job = Job(key, None, self._turns)
        job._result, job.done = result, True
        with self._lock:
            self._finished[key] = job

    def _run(self, job: Job) -> None:
        job.run()
        with self._lock:
            if self._running.get(job.key) is job:
                del self._running[job.key]
            if not job.failed and job.size <= self._finished.maxsize:
                self._finished[job.key] = job
            for subscriber in [
                subscriber
                for subscriber in job.subscribers
                if self._followed.get(subscriber) is job
            ]:
                del self._followed[subscriber]
        job.finish()
