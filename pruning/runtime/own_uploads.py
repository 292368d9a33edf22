"""What visitors have uploaded: counted, of its visitor only, and deleted after a time."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from pruning.runtime.errors import PrunescopeError

MEGABYTE = 2**20
UNUSED_S = 2 * 3600.0
"""Time after the last page of its visitor until an upload is deleted."""
MAX_AGE_S = 12 * 3600.0
"""Time after which an upload is deleted, even if it is used."""


class UploadError(PrunescopeError):
    """An upload cannot be kept; the message says which limit it exceeds."""


@dataclass(frozen=True)
class Upload:
    """A network or a dataset that a visitor has uploaded.

    Parameters
    ----------
    kind : str
        ``"network"`` or ``"dataset"``.
    name : str
        Its name in the registry of its kind.
    label : str
        Name for people.
    size : int
        Bytes in memory.
    created, used : float
        When it was uploaded, and when its visitor last ran a page, by the clock of `OwnUploads`.
    """

    kind: str
    name: str
    label: str
    size: int
    created: float = 0.0
    used: float = 0.0


class OwnUploads:
    """The uploads of all visitors.

    Parameters
    ----------
    discard : callable
        ``discard(upload)`` removes an upload that belongs to no visitor any more.
    max_of_kind : int
        Uploads of one kind of a visitor.
    max_owner_size, max_size : int
        Bytes of a visitor, and of all.
    clock : callable
        Seconds, of any clock that does not go back.
    """

    def __init__(
        self,
        discard: Callable[[Upload], None],
        *,
        max_of_kind: int = 3,
        max_owner_size: int = 130 * MEGABYTE,
        max_size: int = 1200 * MEGABYTE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._discard = discard
        self.max_of_kind = max_of_kind
        self._max_owner_size = max_owner_size
        self._max_size = max_size
        self._clock = clock
        self._lock = threading.RLock()
        self._uploads: dict[str, dict[str, Upload]] = {}

    def keep(self, owner: str, upload: Upload) -> None:
        """Keep an upload for a visitor.

        Parameters
        ----------
        owner : str
            The visitor.
        upload : Upload
            Registered already; replaces one of the same name.

        Raises
        ------
        UploadError
            If it exceeds a limit: it is then discarded.
        """
        now = self._clock()
        with self._lock:
            refusal = self._why_refused(owner, upload)
            if not refusal:
                own = self._uploads.setdefault(owner, {})
                own[upload.name] = replace(upload, created=now, used=now)
                return
        self._discard_unowned([upload])
        raise UploadError(refusal)

    def why_full(self, owner: str, kind: str) -> str:
        """Return why a visitor can keep no further upload of a kind.

        Parameters
        ----------
        owner : str
            The visitor.
        kind : str
            ``"network"`` or ``"dataset"``.

        Returns
        -------
        str
            Empty if there is room for one.
        """
        of_kind = [upload for upload in self.of(owner) if upload.kind == kind]
        if len(of_kind) < self.max_of_kind:
            return ""
        return (
            f"{self.max_of_kind} {kind}s are kept for you, which is the limit: delete one of them"
        )

    def _why_refused(self, owner: str, upload: Upload) -> str:
        own = [other for other in self.of(owner) if other.name != upload.name]
        is_new = len(own) == len(self.of(owner))
        if is_new and self.why_full(owner, upload.kind):
            return self.why_full(owner, upload.kind)
        if sum(other.size for other in own) + upload.size > self._max_owner_size:
            limit = self._max_owner_size // MEGABYTE
            return f"your uploads would take more than {limit} MB: delete one of them"
        others = sum(other.size for other in self._all() if other.name != upload.name)
        if others + upload.size > self._max_size:
            return "the uploads of all visitors take the memory that there is: try again later"
        return ""

    def _all(self) -> list[Upload]:
        """All uploads, one that several visitors have once."""
        found: dict[str, Upload] = {}
        for own in self._uploads.values():
            found |= own
        return list(found.values())

    def of(self, owner: str) -> list[Upload]:
        """Return the uploads of a visitor.

        Parameters
        ----------
        owner : str
            The visitor.

        Returns
        -------
        list of Upload
            The oldest first.
        """
        with self._lock:
            return list(self._uploads.get(owner, {}).values())

    def touch(self, owner: str) -> None:
        """Note that a visitor has run a page.

        Parameters
        ----------
        owner : str
            The visitor.
        """
        now = self._clock()
        with self._lock:
            own = self._uploads.get(owner, {})
            for name, upload in own.items():
                own[name] = replace(upload, used=now)

    def seconds_left(self, upload: Upload) -> float:
        """Return when an upload is deleted if its visitor does not come back.

        Parameters
        ----------
        upload : Upload
            As of `of`.

        Returns
        -------
        float
            Seconds from now.
        """
        return min(upload.used + UNUSED_S, upload.created + MAX_AGE_S) - self._clock()

    def delete(self, owner: str, name: str) -> None:
        """Delete an upload of a visitor, if there is one of this name.

        Parameters
        ----------
        owner : str
            The visitor.
        name : str
            Its name.
        """
        with self._lock:
            upload = self._uploads.get(owner, {}).pop(name, None)
        self._discard_unowned([] if upload is None else [upload])

    def expire(self) -> None:
        """Delete what is unused or too old."""
        expired = []
        with self._lock:
            for owner in list(self._uploads):
                for upload in self.of(owner):
                    if self.seconds_left(upload) <= 0:
                        expired.append(self._uploads[owner].pop(upload.name))
                if not self._uploads[owner]:
                    del self._uploads[owner]
        self._discard_unowned(expired)

    def _discard_unowned(self, uploads: list[Upload]) -> None:
        """Discard what no visitor has; it takes time, for which no page waits."""
        for upload in uploads:
            with self._lock:
                is_owned = any(upload.name in own for own in self._uploads.values())
            if not is_owned:
                self._discard(upload)
