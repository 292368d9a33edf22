"""Persistent results: SQLite in the user's data directory.

The key of a result is a hash of the format, the recipe without its limit on the test images, the
split, the checkpoint and the images; the number of classified images is stored beside it.
"""

import csv
import hashlib
import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import platformdirs

from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.engine.evaluation import Evaluation
from pruning.engine.stored_result import StoredResult
from pruning.engine.trained_network import trained_sha256
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_to_dict
from pruning.runtime.atomic_write import atomic_write
from pruning.runtime.json_reader import parse_json

FORMAT = 1
"""Results of another format are ignored."""
COLUMNS = ("key", "images", "recipe", "split", "checkpoint", "data", "result", "made")
TABLE = """CREATE TABLE IF NOT EXISTS results (
    key TEXT, images INTEGER, recipe TEXT, split TEXT, checkpoint TEXT, data TEXT, result TEXT,
    made REAL, PRIMARY KEY (key, images)
)"""
INSERT = f"INSERT OR REPLACE INTO results VALUES ({', '.join(f':{name}' for name in COLUMNS)})"
BUSY_TIMEOUT_S = 10

Result = TypeVar("Result")
logger = logging.getLogger(__name__)


def path() -> Path:
    """Return where results are stored.

    Returns
    -------
    Path
        ``PRUNESCOPE_STORE``, else ``results.sqlite`` in the user's data directory.
    """
    default = platformdirs.user_data_path("prunescope") / "results.sqlite"
    return Path(os.environ.get("PRUNESCOPE_STORE") or default).absolute()


def get(recipe: Recipe, split: str, max_images: int) -> StoredResult | None:
    """Return the result of a recipe on the most images.

    A damaged row is removed, and a warning is logged.

    Parameters
    ----------
    recipe : Recipe
        The recipe.
    split : str
        ``"test"`` or ``"validation"``.
    max_images : int
        Results on more images are not used.

    Returns
    -------
    StoredResult or None
        None if there is none.
    """
    result_key = key(recipe, split)
    classes = len(DATASETS[recipe.dataset].classes)

    def find(database: sqlite3.Connection) -> list[tuple[int, str]]:
        query = (
            "SELECT images, result FROM results WHERE key = ? AND images <= ? ORDER BY images DESC"
        )
        return database.execute(query, (result_key, max_images)).fetchall()

    nothing: list[tuple[int, str]] = []
    for images, text in _transaction(find, default=nothing):
        try:
            result = StoredResult.from_dict(parse_json(text, "the result"), classes)
        except (ValueError, TypeError) as error:
            _remove_damaged(result_key, images, error)
            continue
        if result.tally.images == images:
            return result
        _remove_damaged(result_key, images, ValueError("images do not agree"))
    return None


def _remove_damaged(result_key: str, images: int, error: Exception) -> None:
    logger.warning("a damaged result in %s is measured again (%s)", path(), error)

    def remove(database: sqlite3.Connection) -> None:
        database.execute("DELETE FROM results WHERE key = ? AND images = ?", (result_key, images))

    _transaction(remove, default=None)


def put(evaluations: Sequence[Evaluation], *, are_unfinished: Sequence[bool]) -> bool:
    """Store results in one transaction.

    Unfinished results on fewer images, which they continue, are removed.

    Parameters
    ----------
    evaluations : sequence of Evaluation
        The evaluations.
    are_unfinished : sequence of bool
        Whether more images of each were to be classified.

    Returns
    -------
    bool
        Whether they are stored.
    """
    new_rows = []
    for evaluation, is_unfinished in zip(evaluations, are_unfinished, strict=True):
        new_rows.append(_row(evaluation, is_unfinished))

    def write(database: sqlite3.Connection) -> bool:
        database.executemany(
            "DELETE FROM results"
            " WHERE key = :key AND images < :images"
            " AND json_valid(result) AND json_extract(result, '$.open')",
            new_rows,
        )
        database.executemany(INSERT, new_rows)
        return True

    return _transaction(write, default=False)


def _row(evaluation: Evaluation, is_unfinished: bool) -> dict[str, Any]:
    """Values by the names of ``COLUMNS``."""
    recipe, split = evaluation.recipe, evaluation.split
    result = StoredResult.of(evaluation, is_unfinished=is_unfinished).to_dict()
    return {
        "key": key(recipe, split),
        "images": evaluation.tally.images,
        "recipe": json.dumps(recipe_to_dict(recipe.on_all_images)),
        "split": split,
        "checkpoint": _checkpoint_hash(recipe),
        "data": _images_hash(recipe, split),
        "result": json.dumps(result),
        "made": time.time(),
    }


def rows() -> Iterator[dict[str, Any]]:
    """Iterate over all stored results, newest first.

    Yields
    ------
    dict
        Values by the names of ``COLUMNS``.
    """
    query = f"SELECT {', '.join(COLUMNS)} FROM results ORDER BY made DESC"

    def select(database: sqlite3.Connection) -> list[tuple[Any, ...]]:
        return database.execute(query).fetchall()

    nothing: list[tuple[Any, ...]] = []
    for row in _transaction(select, default=nothing):
        yield dict(zip(COLUMNS, row, strict=True))


def clear() -> int:
    """Remove all results.

    Returns
    -------
    int
        How many there were.
    """

    def delete(database: sqlite3.Connection) -> int:
        return database.execute("DELETE FROM results").rowcount

    return _transaction(delete, default=0)


def export(file: Path) -> int:
    """Write all results as CSV.

    Parameters
    ----------
    file : Path
        Where to write.

    Returns
    -------
    int
        How many there are.
    """
    content = list(rows())
    with atomic_write(file) as temporary, temporary.open("w", newline="") as opened:
        table = csv.DictWriter(opened, COLUMNS)
        table.writeheader()
        table.writerows(content)
    return len(content)


def key(recipe: Recipe, split: str) -> str:
    """Return the key of the results of a recipe.

    Parameters
    ----------
    recipe : Recipe
        The recipe; its limit on the test images is not part of the key.
    split : str
        ``"test"`` or ``"validation"``.

    Returns
    -------
    str
        sha256, hexadecimal.
    """
    content = recipe_to_dict(recipe.on_all_images)
    parts = [FORMAT, content, split, _checkpoint_hash(recipe), _images_hash(recipe, split)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _checkpoint_hash(recipe: Recipe) -> str:
    return trained_sha256(recipe)


def _images_hash(recipe: Recipe, split: str) -> str:
    return _fingerprint(datasets.load(recipe.dataset, split))


@lru_cache(maxsize=8)
def _fingerprint(images: datasets.Images) -> str:
    return datasets.fingerprint(images)


class _Database:
    """One connection for all threads of the process.

    Opening a database and closing it costs more than most queries. The connection is opened again
    if the file at its path is another one or was changed by something else.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[Path, _FileIdentity | None] | None = None

    def connection(self) -> sqlite3.Connection:
        """Return an open connection to the file at `path`."""
        current = (path(), _identity())
        if self._connection is None or current != self._opened or current[1] is None:
            self.close()
            path().parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                path(), timeout=BUSY_TIMEOUT_S, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")  # safe if the process is killed
            self._connection.execute(TABLE)
            self._opened = (path(), _identity())
        return self._connection

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None


_database = _Database()


def _transaction(work: Callable[[sqlite3.Connection], Result], default: Result) -> Result:
    """Do ``work`` in one transaction.

    A broken file is renamed, and the work is done in a new one. If the disk does not allow it, the
    answer is ``default``. Both are logged; neither is an error for the caller.
    """
    with _database.lock:
        for _ in range(2):
            identity = _identity()
            try:
                with _database.connection() as database:  # commits, or rolls back
                    return work(database)
            except (OSError, sqlite3.OperationalError) as error:  # read-only, full or locked
                _database.close()
                logger.warning(
                    "the store %s cannot be used (%s): results are not kept", path(), error
                )
                return default
            except sqlite3.DatabaseError as error:
                # A broken file raises the class itself; a subclass is a mistake in a statement.
                if type(error) is not sqlite3.DatabaseError:
                    raise
                _database.close()
                if not _put_aside(identity, error):
                    return default
    return default


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
