"""Settings of glibc's allocator, which keeps freed pages and one heap (arena) for each thread.

On a small server that is half of the memory.
"""

import ctypes
import sys
import threading
import time

MAX_ARENAS = 2
TRIM_INTERVAL_S = 1.0
_M_ARENA_MAX = -8  # from malloc.h

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_lock = threading.Lock()
_last_trim = 0.0


def limit_arenas() -> None:
    """Limit glibc to two arenas."""
    if _libc is not None and hasattr(_libc, "mallopt"):
        _libc.mallopt(_M_ARENA_MAX, MAX_ARENAS)


def trim() -> None:
    """Return free heap pages (malloc_trim), at most once a second."""
    global _last_trim
    if _libc is None or not hasattr(_libc, "malloc_trim"):
        return
    with _lock:
        now = time.monotonic()
        if now - _last_trim < TRIM_INTERVAL_S:
            return
        _last_trim = now
    _libc.malloc_trim(0)
