"""Settings of glibc's allocator, which keeps freed pages and one heap (arena) for each thread.

On a small server that is half of the memory.
"""

import ctypes
import sys
import threading
import time
from typing import Any

MAX_ARENAS = 2
TRIM_INTERVAL_S = 1.0
_M_ARENA_MAX = -8  # from malloc.h


class Allocator:
    """The memory allocator of a C library; no method has an effect if it is not glibc's.

    Parameters
    ----------
    library : ctypes.CDLL or None
        The C library of the process; None if it is unknown.
    """

    def __init__(self, library: Any) -> None:
        self._library = library
        self._lock = threading.Lock()
        self._last_trim: float | None = None

    def limit_arenas(self) -> None:
        """Limit the allocator to two arenas."""
        if hasattr(self._library, "mallopt"):
            self._library.mallopt(_M_ARENA_MAX, MAX_ARENAS)

    def trim(self) -> None:
        """Return free heap pages (malloc_trim), at most once a second."""
        if not hasattr(self._library, "malloc_trim"):
            return
        with self._lock:
            now = time.monotonic()
            if self._last_trim is not None and now - self._last_trim < TRIM_INTERVAL_S:
                return
            self._last_trim = now
        self._library.malloc_trim(0)


def _c_library() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if sys.platform == "linux" else None


ALLOCATOR = Allocator(_c_library())
"""The allocator of this process."""
