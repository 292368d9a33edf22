"""How many connections to the server there may be, and how many messages each browser may send."""

import hashlib
from collections import Counter

from cachetools import LRUCache

BROWSER_COOKIE = "prunescope"
"""Set with the first page, to a random text; the same for all pages of a browser."""
LOCAL_HOSTS = ("127.0.0.1", "::1", "::ffff:127.0.0.1")
"""Addresses of the machine of the server; the last one where it listens with IPv6 only."""
MAX_BROWSERS = 10_000
NAME_DIGITS = 16


def browser_name(cookie: str) -> str:
    """Return a short name of a browser.

    Parameters
    ----------
    cookie : str
        Value of `BROWSER_COOKIE`, of any length.

    Returns
    -------
    str
        A hash; empty without a cookie.
    """
    return hashlib.sha256(cookie.encode()).hexdigest()[:NAME_DIGITS] if cookie else ""


class Pace:
    """Delays messages beyond so many a second.

    It is the generic cell rate algorithm (ITU-T I.371): each message moves the time at which the
    next one is due, and a burst may come early.

    Parameters
    ----------
    per_second : float
        Messages a second in the long run.
    burst : int
        Messages that may come at once, after a pause.
    """

    def __init__(self, per_second: float, burst: int) -> None:
        self._interval = 1 / per_second
        self._tolerance = burst / per_second
        self._due = 0.0

    def delay(self, now: float) -> float:
        """Count a message.

        Parameters
        ----------
        now : float
            Seconds, of any clock that does not go back.

        Returns
        -------
        float
            Seconds to wait before the message is passed on.
        """
        delay = max(0.0, self._due - self._tolerance - now)
        self._due = max(self._due, now) + self._interval
        return delay


class ConnectionLimits:
    """Decides about each connection, by those that are open.

    Parameters
    ----------
    max_of_browser, max_of_address : int
        Connections that may be open at a time; a class may have one address.
    per_second : float
        Messages of a browser in the long run, of all its connections together.
    burst : int
        Messages that it may send at once, after a pause.
    """

    def __init__(
        self,
        max_of_browser: int = 20,
        max_of_address: int = 300,
        per_second: float = 10.0,
        burst: int = 30,
    ) -> None:
        self._max_of_browser = max_of_browser
        self._max_of_address = max_of_address
        self._per_second = per_second
        self._burst = burst
        self._of_browser: Counter[str] = Counter()
        self._of_address: Counter[str] = Counter()
        self._paces: LRUCache = LRUCache(MAX_BROWSERS)

    def open(self, browser: str, address: str) -> Pace | None:
        """Decide about a connection; `close` must be called after one that is admitted.

        Parameters
        ----------
        browser : str
            Identifies the browser; empty if it is not known, which limits by the address only.
        address : str
            From which it comes.

        Returns
        -------
        Pace or None
            For the messages of the browser; None if the connection is refused.
        """
        if self._of_address[address] >= self._max_of_address:
            return None
        if browser and self._of_browser[browser] >= self._max_of_browser:
            return None
        self._of_address[address] += 1
        self._of_browser[browser] += 1
        if not browser:
            return self._new_pace()
        return self._paces.setdefault(browser, self._new_pace())

    def _new_pace(self) -> Pace:
        return Pace(self._per_second, self._burst)

    def close(self, browser: str, address: str) -> None:
        """End a connection that was admitted.

        Parameters
        ----------
        browser, address : str
            As given to `open`.
        """
        self._of_address -= Counter({address: 1})  # entries that become 0 are deleted
        self._of_browser -= Counter({browser: 1})


CONNECTIONS = ConnectionLimits()
"""Those of the server."""
