"""Files that are written completely or not at all."""

import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Write a temporary file that replaces ``path`` on success and is deleted on any error.

    Parameters
    ----------
    path : Path
        The file to write; its folder is created. If it is a symbolic link, the file that it
        points to is replaced.

    Yields
    ------
    Path
        An empty file in the same folder, with the same suffix, to write to. Its permissions are
        those of any new file of this process.

    Raises
    ------
    OSError
        If ``path`` exists and is not a regular file, or cannot be written.
    """
    path = Path(path)
    _check_regular(path)
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}{target.suffix}")
    permissions = _create(temporary)
    try:
        yield temporary
        temporary.chmod(permissions)  # a library may have written a new file of the same name
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _check_regular(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise OSError(f"{path} is not a regular file: choose another path for the output")


def _create(path: Path) -> int:
    """Create an empty file that the process's umask applies to; return its permissions."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        return stat.S_IMODE(os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """Compute the SHA-256 digest of a file.

    Parameters
    ----------
    path : Path
        The file to read.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
