"""Versions that all machines of a cluster must have in common."""

import hashlib
from functools import lru_cache
from pathlib import Path

import torch

from pruning.runtime.errors import PrunescopeError

PACKAGE = Path(__file__).parents[1]
HASH_DIGITS = 12


class ClusterError(PrunescopeError):
    """The cluster cannot be used; the message says what to do."""


@lru_cache(maxsize=1)
def own_versions() -> dict[str, str]:
    """Return what results depend on.

    Returns
    -------
    dict of str to str
        Version of PyTorch without that of its devices, and a hash of the code of this package.
    """
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode())
        digest.update(path.read_bytes())
    return {
        "torch": torch.__version__.partition("+")[0],
        "code of prunescope": digest.hexdigest()[:HASH_DIGITS],
    }


def check_versions(expected: dict[str, str]) -> None:
    """Check that this machine computes as the one that asks.

    Parameters
    ----------
    expected : dict of str to str
        As of `own_versions`.

    Raises
    ------
    ClusterError
        A version differs; the message names it.
    """
    own = own_versions()
    for name, version in expected.items():
        if own.get(name) != version:
            raise ClusterError(
                f"a worker has {name} {own.get(name, 'none')}, and this machine {version}: install "
                "the same versions on all machines"
            )
