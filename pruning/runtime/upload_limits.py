"""Which sessions may upload files, and how much: uploaded files stay in the server's memory."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

MEGABYTE = 2**20


@dataclass
class _Use:
    """What a session has uploaded."""

    is_open: bool = False
    files: int = 0
    size: int = 0


class UploadLimits:
    """Decides about each upload.

    Parameters
    ----------
    max_files : int
        Files of a session.
    max_session_bytes, max_bytes : int
        Bytes of a session, and of all.
    """

    def __init__(
        self,
        max_files: int = 20,
        max_session_bytes: int = 40 * MEGABYTE,
        max_bytes: int = 200 * MEGABYTE,
    ) -> None:
        self._max_files = max_files
        self._max_session_bytes = max_session_bytes
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._uses: dict[str, _Use] = {}

    def open(self, session: str) -> None:
        """Let a session upload, because its page has an uploader.

        Parameters
        ----------
        session : str
            Id of the session.
        """
        with self._lock:
            self._uses.setdefault(session, _Use()).is_open = True

    def close(self, session: str) -> None:
        """Let a session upload nothing more until `open` is called.

        Parameters
        ----------
        session : str
            Id of the session.
        """
        with self._lock:
            if session in self._uses:
                self._uses[session].is_open = False

    def forget(self, is_active: Callable[[str], bool]) -> None:
        """Forget the sessions that have ended, whose files are deleted.

        Parameters
        ----------
        is_active : callable
            Whether a session has not ended.
        """
        with self._lock:
            for session in [name for name in self._uses if not is_active(name)]:
                del self._uses[session]

    def admit(self, session: str, size: int | None) -> HTTPStatus:
        """Decide about an upload, and count it if it is admitted.

        Parameters
        ----------
        session : str
            Id of the session.
        size : int or None
            Bytes of the request; None if it does not say.

        Returns
        -------
        HTTPStatus
            ``OK``, or why it is refused: ``FORBIDDEN`` where the page has no uploader,
            ``LENGTH_REQUIRED`` without a size, ``REQUEST_ENTITY_TOO_LARGE`` or
            ``TOO_MANY_REQUESTS`` beyond the limits of the session, ``INSUFFICIENT_STORAGE`` beyond
            that of all sessions.
        """
        with self._lock:
            use = self._uses.get(session)
            if use is None or not use.is_open:
                return HTTPStatus.FORBIDDEN
            if size is None or size < 0:
                return HTTPStatus.LENGTH_REQUIRED
            if use.files >= self._max_files:
                return HTTPStatus.TOO_MANY_REQUESTS
            if use.size + size > self._max_session_bytes:
                return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            if self._total + size > self._max_bytes:
                return HTTPStatus.INSUFFICIENT_STORAGE
            use.files += 1
            use.size += size
            return HTTPStatus.OK

    @property
    def _total(self) -> int:
        return sum(use.size for use in self._uses.values())


UPLOADS = UploadLimits()
"""Those of the server."""
