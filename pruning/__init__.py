"""Prunescope's backend: networks, what can be removed from them, and what that costs. Usable without the pages."""

import os

from pruning.runtime.malloc import limit_arenas

# Threads that wait for each other must not spin: on a small server the spinning takes the core that the page, the
# other visitors or the browser need. Read when PyTorch's OpenMP library is loaded, so it is said before that.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

limit_arenas()
