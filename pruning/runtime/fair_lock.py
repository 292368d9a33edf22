"""A lock that passes between jobs, so that short work does not wait for the end of long work."""

import heapq
import itertools
import threading
import time


class FairLock:
    """A mutual exclusion lock that is passed to the waiting thread of the highest priority.

    Priority = wait time minus time held, so that long work also proceeds among many short jobs.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int]] = []
        self._tickets = itertools.count()
        self._is_held = False

    @property
    def waiting(self) -> int:
        """Number of threads that wait for the lock."""
        return len(self._waiting)

    def acquire(self, held: float) -> None:
        """Wait for the lock.

        Parameters
        ----------
        held : float
            Seconds for which this work has held the lock before.
        """
        with self._changed:
            ticket = (time.monotonic() + held, next(self._tickets))  # the lowest is next
            heapq.heappush(self._waiting, ticket)
            self._changed.wait_for(lambda: not self._is_held and self._waiting[0] == ticket)
            heapq.heappop(self._waiting)
            self._is_held = True

    def release(self) -> None:
        """Pass the lock on."""
        with self._changed:
            self._is_held = False
            self._changed.notify_all()
