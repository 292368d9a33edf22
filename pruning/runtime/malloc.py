"""glibc's heap: it keeps what was freed, and a heap for each thread. On a small server that is half of the memory."""

import ctypes
import sys
import threading
import time

_M_ARENA_MAX = -8
EVERY = 1.0  # seconds

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_lock = threading.Lock()
_last = 0.0


def limit_arenas() -> None:
    """Work comes and goes in threads: two heaps do for all."""
    if hasattr(_libc, "mallopt"):
        _libc.mallopt(_M_ARENA_MAX, 2)


def trim() -> None:
    """Let the system have what was freed, now and then: that takes some milliseconds."""
    global _last
    with _lock:
        now = time.monotonic()
        if now - _last < EVERY or not hasattr(_libc, "malloc_trim"):
            return
        _last = now
    _libc.malloc_trim(0)
