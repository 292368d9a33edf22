"""Prunescope's backend: networks, what can be removed from them, and what that costs. Usable without the pages."""

import ctypes
import os

# Threads that wait for each other must not spin: on a small server the spinning takes the core that the page, the
# other visitors or the browser need. Read when PyTorch's OpenMP library is loaded, so it is said before that.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# Work comes and goes in threads, and each thread would get a heap of its own, that glibc then keeps: two do for all.
_M_ARENA_MAX = -8
_libc = ctypes.CDLL(None)
if hasattr(_libc, "mallopt"):
    _libc.mallopt(_M_ARENA_MAX, 2)
