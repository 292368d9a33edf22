"""A lock that passes between jobs, so that short work does not wait for the end of long work."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from cachetools import LRUCache


@dataclass(order=True)
class _Ticket:
    """A place in the queue; the lowest is next."""

    time: float
    number: int
    owner: Hashable = field(compare=False)
    turn: threading.Event = field(compare=False, default_factory=threading.Event)
    is_removed: bool = field(compare=False, default=False)


class Removed(Exception):
    """The thread was removed from the queue, and does not hold the lock."""


def _nothing() -> None:
    pass


def _always() -> bool:
    return True


class FairLock:
    """A mutual exclusion lock that is passed to the waiting thread of the highest priority.

    Each call states a delay: a thread that has come so many seconds later, and has none, goes
    first. Nobody waits forever, because the delay is finite.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: list[_Ticket] = []  # a heap
        self._numbers = itertools.count()
        self._is_held = False

    @property
    def waiting(self) -> int:
        """Number of threads that wait for the lock."""
        return len(self._waiting)

    def acquire(
        self, delay: float, owner: Hashable = None, is_wanted: Callable[[], bool] = _always
    ) -> None:
        """Wait for the lock.

        Parameters
        ----------
        delay : float
            Seconds by which others may come later and go first.
        owner : hashable, optional
            Identifies the place in the queue, see `position` and `remove`.
        is_wanted : callable
            Whether to wait at all; what `remove` follows on must be visible to it.

        Raises
        ------
        Removed
            If `remove` was called during the wait, or before it.
        """
        with self._mutex:
            if not self._is_held:
                self._is_held = True
                return
            if not is_wanted():
                raise Removed
            ticket = self._new_ticket(delay, owner)
            heapq.heappush(self._waiting, ticket)
        self._wait(ticket)

    def remove(self, owner: Hashable) -> None:
        """End the wait of a thread without the lock, if it waits.

        Parameters
        ----------
        owner : hashable
            As given to `acquire` or `pass_on`.
        """
        with self._mutex:
            for ticket in [each for each in self._waiting if each.owner == owner]:
                self._waiting.remove(ticket)
                heapq.heapify(self._waiting)
                ticket.is_removed = True
                ticket.turn.set()

    def release(self) -> None:
        """Pass the lock on."""
        with self._mutex:
            if self._waiting:
                heapq.heappop(self._waiting).turn.set()
            else:
                self._is_held = False

    def pass_on(
        self,
        delay: float,
        owner: Hashable = None,
        on_wait: Callable[[], None] = _nothing,
        is_wanted: Callable[[], bool] = _always,
    ) -> bool:
        """Release the lock and wait for it again, unless the caller is next anyway.

        Parameters
        ----------
        delay : float
            Seconds by which others may come later and go first.
        owner : hashable, optional
            Identifies the place in the queue.
        on_wait : callable
            Called before the wait if another thread goes first.
        is_wanted : callable
            As of `acquire`; if not, the lock is passed on and not waited for.

        Returns
        -------
        bool
            Whether another thread went first.

        Raises
        ------
        Removed
            If `remove` was called during the wait.
        """
        with self._mutex:
            ticket = self._new_ticket(delay, owner)
            if not self._waiting or ticket < self._waiting[0]:
                return False
            if not is_wanted():
                heapq.heappop(self._waiting).turn.set()
                raise Removed
            on_wait()
            heapq.heapreplace(self._waiting, ticket).turn.set()
        self._wait(ticket)
        return True

    @staticmethod
    def _wait(ticket: _Ticket) -> None:
        ticket.turn.wait()
        if ticket.is_removed:
            raise Removed

    def position(self, owner: Hashable) -> int | None:
        """Return how many threads are before a waiting one.

        Parameters
        ----------
        owner : hashable
            As given to `acquire` or `pass_on`.

        Returns
        -------
        int or None
            None if it does not wait.
        """
        with self._mutex:
            queue = sorted(self._waiting)
        for place, ticket in enumerate(queue):
            if ticket.owner == owner:
                return place
        return None

    def _new_ticket(self, delay: float, owner: Hashable) -> _Ticket:
        return _Ticket(time.monotonic() + delay, next(self._numbers), owner)


class RecentUse:
    """Seconds for which each owner has held a lock recently: halved every `half_life` seconds.

    Parameters
    ----------
    half_life : float
        In seconds.
    max_owners : int
        The owners that were least recently active are forgotten.
    """

    def __init__(self, half_life: float, max_owners: int = 10_000) -> None:
        self._half_life = half_life
        self._lock = threading.Lock()
        self._uses: LRUCache = LRUCache(max_owners)  # owner -> (seconds, time)

    def of(self, owner: Hashable) -> float:
        """Return the recent use of an owner.

        Parameters
        ----------
        owner : hashable
            Any owner.

        Returns
        -------
        float
            Seconds; 0 for one that is not known.
        """
        with self._lock:
            return self._decayed(owner, time.monotonic())

    def add(self, owner: Hashable, seconds: float) -> None:
        """Add a use that ends now.

        Parameters
        ----------
        owner : hashable
            Any owner.
        seconds : float
            For which the lock was held.
        """
        with self._lock:
            now = time.monotonic()
            self._uses[owner] = (self._decayed(owner, now) + seconds, now)

    def _decayed(self, owner: Hashable, now: float) -> float:
        seconds, since = self._uses.get(owner, (0.0, now))
        return seconds * 0.5 ** ((now - since) / self._half_life)
