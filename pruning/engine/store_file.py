"""The store as a SQLite file: one connection for all threads; a broken file is put aside."""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from pruning.engine.store_database import (
    COLUMNS,
    STORE_VARIABLE,
    TABLE,
    Answer,
    Database,
    Transaction,
)
from pruning.runtime.errors import PrunescopeError

BUSY_TIMEOUT_S = 10

logger = logging.getLogger(__name__)


def path() -> Path:
    """Return the file of results.

    Returns
    -------
    Path
        ``PRUNESCOPE_STORE``, else ``results.sqlite`` in the user's data directory.
    """
    default = platformdirs.user_data_path("prunescope") / "results.sqlite"
    return Path(os.environ.get(STORE_VARIABLE) or default).absolute()


class FileDatabase(Database):
    """The SQLite file at `path`, with one connection for all threads of the process.

    Opening a database and closing it costs more than most queries. The connection is opened again
    if the file at its path is another one or was changed by something else.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[Path, _FileIdentity | None] | None = None

    @property
    def location(self) -> str:
        """The path of the file."""
        return str(path())

    def transaction(self, work: Callable[[Transaction], Answer], default: Answer) -> Answer:
        """Do ``work`` in one transaction.

        A broken file is renamed, and the work is done in a new one. If the disk does not allow it,
        the answer is ``default``. Both are logged; neither is an error for the caller.

        Parameters
        ----------
        work : callable
            Called with the open transaction.
        default : object
            The answer if the file cannot be used.

        Returns
        -------
        object
            What ``work`` has returned, or ``default``.
        """
        with self._lock:
            for _ in range(2):
                identity = _identity()
                try:
                    with self._open() as connection:  # commits, or rolls back
                        return work(_FileTransaction(connection))
                except (OSError, sqlite3.OperationalError) as error:  # read-only, full or locked
                    self._close()
                    logger.warning(
                        "the store %s cannot be used (%s): results are not kept", path(), error
                    )
                    return default
                except sqlite3.DatabaseError as error:
                    # A broken file raises the class itself; a subclass is a mistake in a statement.
                    if type(error) is not sqlite3.DatabaseError:
                        raise
                    self._close()
                    if not _put_aside(identity, error):
                        return default
        return default

    def check(self) -> None:
        """Check that all results can be read; the file stays as it is.

        Raises
        ------
        PrunescopeError
            The file is not a store of results.
        """
        if not path().exists():
            return
        try:
            with closing(sqlite3.connect(path(), timeout=BUSY_TIMEOUT_S)) as connection:
                connection.execute(TABLE)
                for _ in connection.execute(f"SELECT {', '.join(COLUMNS)} FROM results"):
                    pass  # a damaged page is found only when it is read
        except sqlite3.Error:
            raise PrunescopeError(
                f"{path()} cannot be read as a store of results: rename it, or set "
                f"{STORE_VARIABLE} to another file"
            ) from None

    def _open(self) -> sqlite3.Connection:
        """Return an open connection to the file at `path`."""
        current = (path(), _identity())
        if self._connection is None or current != self._opened or current[1] is None:
            self._close()
            path().parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                path(), timeout=BUSY_TIMEOUT_S, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")  # safe if the process is killed
            self._connection.execute(TABLE)
            self._opened = (path(), _identity())
        return self._connection

    def _close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None


@dataclass(frozen=True)
class _FileTransaction(Transaction):
    connection: sqlite3.Connection

    def select(self, statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        return self.connection.execute(statement, values).fetchall()

    def change(self, statement: str, values: Mapping[str, Any]) -> int:
        return self.connection.execute(statement, values).rowcount

    def change_many(self, statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
        self.connection.executemany(statement, rows)


@dataclass(frozen=True)
class _FileIdentity:
    """Identity of a file and of its content, by device, inode, size and time."""

    device: int
    inode: int
    size: int
    modified_ns: int


def _identity() -> _FileIdentity | None:
    """Identity of the file at `path`, or None; in WAL mode, writes go to another file first."""
    try:
        status = path().stat()
    except OSError:
        return None
    return _FileIdentity(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _put_aside(broken: _FileIdentity | None, error: Exception) -> bool:
    """Rename a broken file, unless another process did so; return whether to try again."""
    if broken is None or _identity() != broken:
        return True
    aside = path().with_suffix(f".broken-{time.time_ns()}")
    try:
        path().rename(aside)
    except OSError as reason:
        logger.warning(
            "the store %s is broken (%s) and cannot be replaced (%s)", path(), error, reason
        )
        return False
    for suffix in ("-wal", "-shm"):  # of the broken file
        Path(f"{path()}{suffix}").unlink(missing_ok=True)
    logger.warning("the store was broken (%s): it is now %s, and a new one begins", error, aside)
    return True
