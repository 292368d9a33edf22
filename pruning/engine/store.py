"""Results that outlive the process: SQLite in the user's data directory. What was measured yesterday is there today.

A result is known by its recipe, the checkpoint's hash, the hash of the images, and how many of them were classified.
"""

import csv
import hashlib
import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import platformdirs

from pruning.data import datasets
from pruning.models import checkpoints
from pruning.recipe.recipe import Recipe
from pruning.runtime.atomic_write import atomic_write

FORMAT = 1  # results of another way of measuring do not count
FIELDS = {
    "images",
    "class_correct",
    "loss",
    "total",
    "sparsity",
    "share",
    "parameters",
    "macs",
}  # of a result
COLUMNS = ("key", "images", "recipe", "split", "checkpoint", "data", "result", "made")
TABLE = """CREATE TABLE IF NOT EXISTS results (key TEXT, images INTEGER, recipe TEXT, split TEXT, checkpoint TEXT, data TEXT,
result TEXT, made REAL, PRIMARY KEY (key, images))"""
_lock = threading.Lock()


def path() -> Path:
    """``PRUNESCOPE_STORE``, else ``results.sqlite`` in the user's data directory."""
    return Path(
        os.environ.get("PRUNESCOPE_STORE")
        or platformdirs.user_data_path("prunescope") / "results.sqlite"
    ).absolute()


def get(recipe: Recipe, split: str) -> dict | None:
    """The stored result of a recipe: of its ``images`` if it names a number, else of as many as there are; None if none."""
    limit = (
        (
            datasets.DATASETS[recipe.dataset].test_images
            if split == "test"
            else len(datasets.load(recipe.dataset, split))
        )
        if recipe.images is None
        else recipe.images
    )
    rows = _try(
        lambda db: db.execute(
            "SELECT result FROM results WHERE key = ? AND images <= ? ORDER BY images DESC LIMIT 1",
            (key(recipe, split), limit),
        ).fetchall(),
        [],
    )
    try:
        found = json.loads(rows[0][0]) if rows else None
        return found if found is None or FIELDS <= set(found) else None
    except (ValueError, TypeError):  # a damaged row: it is measured again
        return None


def put(results: Mapping[Recipe, Mapping], split: str) -> bool:
    """Remember results, {recipe: JSON values, `FIELDS` among them}, all of them or, if the process is killed, none; whether
    they are kept. Those of fewer images, which they go on from, are forgotten."""
    rows = [
        (
            key(recipe, split),
            result["images"],
            json.dumps(_plain(recipe).to_dict()),
            split,
            checkpoints.shared_card(recipe.network, recipe.dataset).weights_sha256,
            _data(recipe.dataset, split),
            json.dumps(result),
            time.time(),
        )
        for recipe, result in results.items()
    ]

    def write(db: sqlite3.Connection) -> bool:
        db.executemany(
            "DELETE FROM results WHERE key = ? AND images < ? AND json_extract(result, '$.open')",
            [row[:2] for row in rows],
        )
        db.executemany(
            f"INSERT OR REPLACE INTO results VALUES ({','.join('?' * len(COLUMNS))})", rows
        )
        return True

    return _try(write, False)


def rows() -> Iterator[dict]:
    """Every stored result, newest first."""
    for row in _try(
        lambda db: db.execute(
            f"SELECT {', '.join(COLUMNS)} FROM results ORDER BY made DESC"
        ).fetchall(),
        [],
    ):
        yield dict(zip(COLUMNS, row))


def clear() -> int:
    """Forget everything; how many results there were."""
    return _try(lambda db: db.execute("DELETE FROM results").rowcount, 0)


def export(file: Path) -> int:
    """Write all results as CSV; how many there are."""
    found = list(rows())
    with atomic_write(file) as temporary, temporary.open("w", newline="") as opened:
        table = csv.DictWriter(opened, COLUMNS)
        table.writeheader()
        table.writerows(found)
    return len(found)


def key(recipe: Recipe, split: str) -> str:
    card = checkpoints.shared_card(recipe.network, recipe.dataset)
    told = [
        FORMAT,
        _plain(recipe).to_dict(),
        split,
        card.weights_sha256,
        _data(recipe.dataset, split),
    ]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _plain(recipe: Recipe) -> Recipe:
    return replace(recipe.key, images=None)


def _data(dataset: str, split: str) -> str:
    return _fingerprint(datasets.load(dataset, split))


@lru_cache(maxsize=8)
def _fingerprint(images: datasets.Images) -> str:
    return datasets.fingerprint(images)


def _try(work: Callable[[sqlite3.Connection], object], otherwise=None):
    """Do it in one transaction. A broken file is put aside, and it is done in a new one; where the disk does not let us,
    ``otherwise``, and what was to be kept is not. Both are logged; neither stops anybody."""
    for _ in range(2):
        before = _identity()
        try:
            with _open() as db:
                return work(db)
        except (OSError, sqlite3.OperationalError) as error:  # read-only, full, locked for too long
            logging.getLogger(__name__).warning(
                "the store %s cannot be used (%s): results are not kept", path(), error
            )
            return otherwise
        except sqlite3.DatabaseError as error:
            if not _put_aside(before, error):
                return otherwise
    return otherwise


def _identity() -> tuple[int, int] | None:
    try:
        found = path().stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _put_aside(broken: tuple[int, int] | None, error: Exception) -> bool:
    """Rename the broken file, unless another has done so and begun a new one; whether to try again."""
    aside = path().with_suffix(f".broken-{time.time_ns()}")
    with _lock:
        if _identity() == broken is not None:
            try:
                path().rename(aside)
            except OSError as reason:
                logging.getLogger(__name__).warning(
                    "the store %s is broken (%s) and cannot be replaced (%s)", path(), error, reason
                )
                return False
            for beside in ("-wal", "-shm"):  # of the broken one
                Path(f"{path()}{beside}").unlink(missing_ok=True)
            logging.getLogger(__name__).warning(
                "the store was broken (%s): it is now %s, and a new one begins", error, aside
            )
    return True


@contextmanager
def _open() -> Iterator[sqlite3.Connection]:
    path().parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path(), timeout=10)
    try:
        with db:  # commits, or rolls back
            db.execute("PRAGMA journal_mode=WAL")
            db.execute(TABLE)
            yield db
    finally:
        db.close()
