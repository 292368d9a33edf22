"""Settings of the process, for the programs: the application, the command line, the tests."""

import os

from pruning.runtime.malloc import ALLOCATOR

COMMAND_SPIN_COUNT = 30_000
"""About a millisecond: an epoch of LeNet-300-100 takes half of the time that it takes
without spinning."""


def configure_process(spin_count: int = 0) -> None:
    """Set how OpenMP threads wait, and limit the memory allocator; call before torch is imported.

    OpenMP reads ``OMP_WAIT_POLICY`` when PyTorch loads it. Threads that spin while they wait take
    the processor cores that the page, other visitors or the browser need. A value that the user
    has set is kept.

    Parameters
    ----------
    spin_count : int
        How often a thread looks for work before it sleeps (``GOMP_SPINCOUNT``); 0 for a server.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if spin_count:
        os.environ.setdefault("GOMP_SPINCOUNT", str(spin_count))
    ALLOCATOR.limit_arenas()
