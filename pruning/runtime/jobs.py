"""Long computations outside the page: one for each key, with progress and cancellation.

A computation is ``work(report) -> result``. It calls ``report(progress)`` often, which publishes
the progress, raises `Cancelled` if the job has no subscribers, and passes the lock on. Only one
job computes at a time, because eight at once would each take eight times as long. `FairLock`
decides which is next: the one that came first, after a delay for what its subscribers have used
recently. So a slider's short job does not wait for another visitor's long one, and somebody who
asks often, or from many pages, does not slow down the others. A job whose first results are known
can be patient: the more jobs wait, the longer those without a result go first.
"""

import logging
import threading
import time
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

from cachetools import LRUCache

from pruning.runtime.errors import Cancelled, PrunescopeError
from pruning.runtime.fair_lock import FairLock, RecentUse, Removed
from pruning.runtime.malloc import ALLOCATOR

Work = Callable[[Callable[[Any], None]], Any]
Patience = Callable[[Any], float]
"""From the progress, None at first, to the greatest age in seconds at which others go first."""
Accounts = Callable[[Any], tuple[Hashable, Hashable]]
"""From a subscriber to its page and to its browser, which may have other pages."""

MAX_USE_DELAY_S = 2.0  # the longest delay of a job for what its subscribers have used
MAX_OTHER_PAGES_DELAY_S = 10.0  # and for what other pages of their browser have used
USE_HALF_LIFE_S = 5.0
UNDIVIDED_S = 0.2  # the longest first turn of a job that will be patient, with its first result
PATIENCE_FOR_EACH_S = 0.15  # a job is patient for so long for each one that waits
MIN_ESTIMATE_S = 2.0  # seconds before the first estimate of the remaining time
MIN_ESTIMATE_SHARE = 0.02  # share of the work that is done before the first estimate

NO_SUBSCRIBERS = "cancelled: the job has no subscribers"

_logger = logging.getLogger(__name__)


def _never(progress: Any) -> bool:
    return False


def one_page(subscriber: Any) -> tuple[Hashable, Hashable]:
    """Return the accounts of a subscriber whose browser has no other page.

    Parameters
    ----------
    subscriber : hashable
        Of a job.

    Returns
    -------
    tuple of hashable
        The same twice.
    """
    return subscriber, subscriber


def not_patient(progress: Any) -> float:
    """Return 0: jobs that come later do not go first.

    Parameters
    ----------
    progress : object
        Of a job.

    Returns
    -------
    float
        0.0
    """
    return 0.0


class Job:
    """A waiting, running or finished computation.

    Parameters
    ----------
    key : hashable
        Identifies the result.
    work : callable
        The computation, which gets the method `report`.
    lock : FairLock
        Held while the job computes; shared with other jobs.
    use : RecentUse
        Of the lock by each subscriber, page and browser.
    patience : callable
        The greatest age in seconds at which other jobs go first, given the progress.
    accounts : callable
        From a subscriber to its page and its browser.

    Attributes
    ----------
    key : hashable
        Identifies the result.
    subscribers : set of hashable
        Those that wait for the result; the job is cancelled when there are none.
    progress : object
        The last argument of `report`; None before.
    must_wait : bool
        Whether another job went first after the last report.
    done : bool
        Whether the job has ended, with a result or an error.
    """

    def __init__(
        self,
        key: Hashable,
        work: Work,
        lock: FairLock,
        use: RecentUse,
        patience: Patience = not_patient,
        accounts: Accounts = one_page,
    ) -> None:
        self.key = key
        self.subscribers: set[Hashable] = set()
        self.progress: Any = None
        self.must_wait = False
        self.done = False
        self._work: Work | None = work
        self._lock = lock
        self._use = use
        self._patience = patience
        self._accounts = accounts
        self._created = time.monotonic()
        self._result: Any = None
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._is_holding = False
        self._held = 0.0
        self._users: tuple[Hashable, ...] = ()
        self._acquired_at = 0.0
        self._first_estimate: tuple[float, float] | None = None

    @property
    def result(self) -> Any:
        """The result of the work; raises the exception that the work raised."""
        if self._error:
            raise self._error
        return self._result

    @property
    def size(self) -> int:
        """Number of results: the points of a curve, otherwise 1."""
        return len(self._result) if isinstance(self._result, tuple) else 1

    @property
    def error(self) -> BaseException | None:
        """The exception that the work raised, or None."""
        return self._error

    @property
    def failed(self) -> bool:
        """Whether the work raised an exception."""
        return self._error is not None

    def seconds_left(self, share: float) -> float | None:
        """Estimate the remaining time, from the speed since the first call.

        What was done before the first call may have come from a cache, and is not counted.

        Parameters
        ----------
        share : float
            The share of the work that is done, from 0 to 1.

        Returns
        -------
        float or None
            Seconds; None if it is too early for an estimate.
        """
        now = time.monotonic()
        if self._first_estimate is None:
            self._first_estimate = (now, share)
        start, share_before = self._first_estimate
        elapsed, progress = now - start, share - share_before
        if progress <= MIN_ESTIMATE_SHARE or elapsed <= MIN_ESTIMATE_S:
            return None
        return elapsed * (1 - share) / progress

    def wait(self, enough: Callable[[Any], bool] = _never, timeout: float | None = None) -> bool:
        """Wait until the job is done or has made enough progress.

        Parameters
        ----------
        enough : callable
            Whether a progress is enough; default: never.
        timeout : float, optional
            Seconds; default: no limit.

        Returns
        -------
        bool
            False if the time ran out first.
        """

        def finished() -> bool:
            return self.done or (self.progress is not None and enough(self.progress))

        with self._changed:
            return self._changed.wait_for(finished, timeout)

    @property
    def position(self) -> int | None:
        """Number of jobs before this one in the queue; None if it does not wait."""
        return self._lock.position(self)

    def report(self, progress: Any) -> None:
        """Publish the progress and pass the lock on; called by the work, in its thread.

        Parameters
        ----------
        progress : object
            Anything but None.

        Raises
        ------
        Cancelled
            If the job has no subscribers.
        """
        self._count_use()
        self._check_subscribers()
        self.progress = progress
        if self._is_first_turn and not self._patience(progress):
            self._publish(must_wait=False)
            return
        ALLOCATOR.trim()
        try:
            has_waited = self._lock.pass_on(
                self._delay,
                self,
                on_wait=partial(self._publish, must_wait=True),
                is_wanted=self._has_subscribers,
            )
        except Removed:
            self._is_holding = False
            raise Cancelled(NO_SUBSCRIBERS) from None
        if has_waited:
            self._acquired_at = time.perf_counter()
            self._check_subscribers()  # they may have left during the wait for the lock
        else:
            self._publish(must_wait=False)

    def _publish(self, *, must_wait: bool) -> None:
        with self._changed:
            self.must_wait = must_wait
            self._changed.notify_all()

    def run(self) -> None:
        """Do the work in the calling thread, and keep its result or exception."""
        try:
            self._acquire()
            self._check_subscribers()
            assert self._work is not None
            self._result = self._work(self.report)
        except Exception as error:  # raised again by `result`, in the thread that reads it
            self._error = error
            if not isinstance(error, PrunescopeError):
                _logger.exception("work on %s failed", self.key)
        finally:
            self._work = None  # releases the arrays that it refers to
            self._release()
            ALLOCATOR.trim()

    def finish(self) -> None:
        """Set `done`, and end all calls of `wait`."""
        with self._changed:
            self.done = True
            self._changed.notify_all()

    def _has_subscribers(self) -> bool:
        return bool(self.subscribers)

    def _check_subscribers(self) -> None:
        subscribers = tuple(self.subscribers)
        if not subscribers:
            raise Cancelled(NO_SUBSCRIBERS)
        self._users = subscribers  # also of what follows, if they leave before it ends

    def _acquire(self) -> None:
        try:
            self._lock.acquire(self._delay, self, is_wanted=self._has_subscribers)
        except Removed:
            raise Cancelled(NO_SUBSCRIBERS) from None
        self._is_holding = True
        self._acquired_at = time.perf_counter()

    def _release(self) -> None:
        if not self._is_holding:
            return
        try:
            self._count_use()
        finally:
            self._lock.release()

    def _count_use(self) -> None:
        """Count the time held since the last call, divided among the subscribers."""
        now = time.perf_counter()
        held = now - self._acquired_at
        self._acquired_at = now
        self._held += held
        for user in self._users:
            for account in {user, *self._accounts(user)}:
                self._use.add(account, held / len(self._users))

    @property
    def _is_first_turn(self) -> bool:
        return self._patience is not not_patient and self._held < UNDIVIDED_S

    @property
    def _delay(self) -> float:
        """Seconds by which other jobs may come later and go first."""
        delays = [self._use_delay(subscriber) for subscriber in tuple(self.subscribers)]
        delay = min(delays, default=0.0)
        patience = min(self._patience(self.progress), PATIENCE_FOR_EACH_S * self._lock.waiting)
        age = time.monotonic() - self._created
        return delay + max(0.0, patience - age)

    def _use_delay(self, subscriber: Hashable) -> float:
        """Delay for recent use by the subscriber, and by other pages of its browser."""
        page, browser = self._accounts(subscriber)
        other_pages = max(0.0, self._use.of(browser) - self._use.of(page))
        return min(MAX_USE_DELAY_S, self._use.of(subscriber)) + min(
            MAX_OTHER_PAGES_DELAY_S, other_pages
        )


class Busy(PrunescopeError):
    """The limit of running and waiting jobs is reached."""


class Jobs:
    """Jobs by key, and a cache of their results.

    Each subscriber is subscribed to one job at a time; a new subscription ends the one before.

    Parameters
    ----------
    max_results : int
        Size of the cache, in results.
    max_jobs : int
        The most jobs that may run or wait at a time.
    accounts : callable
        From a subscriber to its page and its browser: a browser with many pages gets no more turns
        than others.
    """

    def __init__(
        self, max_results: int = 4096, max_jobs: int = 512, accounts: Accounts = one_page
    ) -> None:
        self._max_jobs = max_jobs
        self._accounts = accounts
        self._lock = threading.RLock()
        self._compute_lock = FairLock()
        self._use = RecentUse(USE_HALF_LIFE_S)
        self._running: dict[Hashable, Job] = {}
        self._subscriptions: dict[Hashable, Job] = {}
        self._finished: LRUCache = LRUCache(max_results, getsizeof=lambda job: job.size)

    def subscribe(
        self,
        subscriber: Hashable,
        key: Hashable,
        work: Work,
        patience: Patience = not_patient,
    ) -> Job:
        """Return the job of a key: finished and cached, running, or started now.

        Parameters
        ----------
        subscriber : hashable
            Identifies the one that waits for the result.
        key : hashable
            Identifies the result.
        work : callable
            ``work(report) -> result``, called if the key has no job.
        patience : callable
            ``patience(progress)`` gives the greatest age of the job, in seconds, at which others
            go first; the progress is None at first. The fewer wait, the less patient it is.

        Returns
        -------
        Job
            The job, to wait for and to read.

        Raises
        ------
        Busy
            If the limit of jobs is reached.
        """
        with self._lock:
            if key in self._finished:
                self.unsubscribe(subscriber)
                return self._finished[key]
            job = self._running.get(key)
            if job is not None and not job.subscribers and not job.done:
                job = None  # cancelled, and about to end
            is_new = job is None
            if job is None:
                job = self._new_job(key, work, patience)
            if self._subscriptions.get(subscriber) is not job:
                self.unsubscribe(subscriber)
                self._subscriptions[subscriber] = job
                job.subscribers.add(subscriber)
            if is_new:
                threading.Thread(target=self._run, args=[job], daemon=True).start()
            return job

    def _new_job(self, key: Hashable, work: Work, patience: Patience) -> Job:
        if len(self._running) >= self._max_jobs:
            raise Busy(
                f"{len(self._running)} computations are running or waiting on this server: "
                "try again in a moment"
            )
        job = Job(key, work, self._compute_lock, self._use, patience, self._accounts)
        self._running[key] = job
        return job

    def unfinished(self, key: Hashable) -> Job | None:
        """Return the job of a key that has not ended, cancelled jobs included.

        Parameters
        ----------
        key : hashable
            Identifies the result.

        Returns
        -------
        Job or None
            None if there is no such job.
        """
        with self._lock:
            return self._running.get(key)

    def unsubscribe(self, subscriber: Hashable) -> None:
        """End a subscription; a job without subscribers ends where it waits or reports next.

        Parameters
        ----------
        subscriber : hashable
            One with or without a subscription.
        """
        with self._lock:
            job = self._subscriptions.pop(subscriber, None)
            if job:
                job.subscribers.discard(subscriber)
            if job and not job.subscribers:
                self._compute_lock.remove(job)

    def subscribers_where(self, matches: Callable[[Hashable], bool]) -> list[Hashable]:
        """List the matching subscribers.

        Parameters
        ----------
        matches : callable
            From a subscriber to whether it is listed.

        Returns
        -------
        list of hashable
            Only those with a subscription.
        """
        with self._lock:
            return [subscriber for subscriber in self._subscriptions if matches(subscriber)]

    def subscription(self, subscriber: Hashable) -> Job | None:
        """Return the unfinished job that a subscriber waits for.

        Parameters
        ----------
        subscriber : hashable
            One with or without a subscription.

        Returns
        -------
        Job or None
            None without a subscription.
        """
        with self._lock:
            return self._subscriptions.get(subscriber)

    def unsubscribe_where(
        self, matches: Callable[[Hashable], bool], key: Hashable | None = None
    ) -> None:
        """End the subscriptions of all matching subscribers.

        Parameters
        ----------
        matches : callable
            From a subscriber to whether its subscription ends.
        key : hashable, optional
            Only subscriptions to this job; default: to any.
        """
        with self._lock:
            for subscriber in self.subscribers_where(matches):
                if key is None or key == self._subscriptions[subscriber].key:
                    self.unsubscribe(subscriber)

    def cached_result(self, key: Hashable) -> Any | None:
        """Return a result from the cache.

        Parameters
        ----------
        key : hashable
            Identifies the result.

        Returns
        -------
        object or None
            None if it is not in the cache.
        """
        with self._lock:
            job = self._finished.get(key)
            return job.result if job else None

    def forget(self, key: Hashable) -> None:
        """Delete a result from the cache; the next subscription computes it again.

        Parameters
        ----------
        key : hashable
            Identifies the result, which may be absent.
        """
        with self._lock:
            self._finished.pop(key, None)

    def _run(self, job: Job) -> None:
        job.run()
        with self._lock:
            if self._running.get(job.key) is job:
                del self._running[job.key]
            if not job.failed and job.size <= self._finished.maxsize:
                self._finished[job.key] = job
            for subscriber in job.subscribers:
                if self._subscriptions.get(subscriber) is job:
                    del self._subscriptions[subscriber]
        job.finish()
