"""Settings of the process, for the programs: the application, the command line, the tests."""

import os

from pruning.runtime.malloc import ALLOCATOR


def configure_process() -> None:
    """Set how OpenMP threads wait, and limit the memory allocator; call before torch is imported.

    OpenMP reads ``OMP_WAIT_POLICY`` when PyTorch loads it. Threads that spin while they wait take
    the processor cores that the page, other visitors or the browser need. A value that the user
    has set is kept.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    ALLOCATOR.limit_arenas()
