"""Which sessions may upload files, and how much: uploaded files stay in the server's memory."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from cachetools import LRUCache

MEGABYTE = 2**20
MAX_SESSIONS = 10_000


class UploadLimits:
    """Decides about each upload, by what is stored and what is on its way.

    Parameters
    ----------
    max_files : int
        Files of a session.
    max_bytes : int
        Bytes of all sessions.
    """

    def __init__(
        self,
        max_files: int = 20,
        max_bytes: int = 320 * MEGABYTE,
    ) -> None:
        self._max_files = max_files
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._open: LRUCache = LRUCache(MAX_SESSIONS)
        """Limit on the bytes of each session that may upload."""
        self._coming_files: Counter[str] = Counter()
        self._coming_bytes: Counter[str] = Counter()

    def open(self, session: str, max_bytes: int) -> None:
        """Let a session upload, because its page has an uploader.

        Parameters
        ----------
        session : str
            Id of the session.
        max_bytes : int
            Bytes of the files that it may have at a time.
        """
        with self._lock:
            self._open[session] = max_bytes

    def close(self, session: str) -> None:
        """Let a session upload nothing more until `open` is called.

        Parameters
        ----------
        session : str
            Id of the session.
        """
        with self._lock:
            self._open.pop(session, None)

    def admit(
        self, session: str, size: int | None, stored: Mapping[str, Sequence[int]]
    ) -> HTTPStatus:
        """Decide about an upload; `finish` must be called after one that is admitted.

        Parameters
        ----------
        session : str
            Id of the session.
        size : int or None
            Bytes of the request; None if it does not say.
        stored : mapping of str to sequence of int
            Sizes of the stored files of each session.

        Returns
        -------
        HTTPStatus
            ``OK``, or why it is refused: ``FORBIDDEN`` where the page has no uploader,
            ``LENGTH_REQUIRED`` without a size, ``REQUEST_ENTITY_TOO_LARGE`` or
            ``TOO_MANY_REQUESTS`` beyond the limits of the session, ``INSUFFICIENT_STORAGE`` beyond
            that of all sessions.
        """
        with self._lock:
            if session not in self._open:
                return HTTPStatus.FORBIDDEN
            if size is None:
                return HTTPStatus.LENGTH_REQUIRED
            own = stored.get(session, ())
            if len(own) + self._coming_files[session] >= self._max_files:
                return HTTPStatus.TOO_MANY_REQUESTS
            if sum(own) + self._coming_bytes[session] + size > self._open[session]:
                return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            total = sum(map(sum, stored.values())) + self._coming_bytes.total()
            if total + size > self._max_bytes:
                return HTTPStatus.INSUFFICIENT_STORAGE
            self._coming_files[session] += 1
            self._coming_bytes[session] += size
            return HTTPStatus.OK

    def finish(self, session: str, size: int) -> None:
        """End an upload that was admitted; it is stored now, or has failed.

        Parameters
        ----------
        session : str
            Id of the session.
        size : int
            As given to `admit`.
        """
        with self._lock:
            self._coming_files -= Counter({session: 1})  # entries that become 0 are deleted
            self._coming_bytes -= Counter({session: size})


UPLOADS = UploadLimits()
"""Those of the server."""
