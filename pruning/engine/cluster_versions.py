"""Versions that all machines of a cluster must have in common."""

import hashlib
from functools import lru_cache
from pathlib import Path

import torch

PACKAGE = Path(__file__).parents[1]
HASH_DIGITS = 12


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
