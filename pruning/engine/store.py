"""Persistent results: a SQLite file in the user's data directory, or a PostgreSQL database.

The key of a result is a hash of the format, the recipe without its limit on the test images, the
split, the checkpoint and the images; the number of classified images is stored beside it.
"""

import csv
import hashlib
import json
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.engine import store_file
from pruning.engine.evaluation import Evaluation
from pruning.engine.store_database import COLUMNS, STORE_VARIABLE, Answer, Database, Transaction
from pruning.engine.stored_result import StoredResult
from pruning.engine.trained_network import trained_sha256
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_to_dict
from pruning.runtime.atomic_write import atomic_write
from pruning.runtime.errors import PrunescopeError
from pruning.runtime.json_reader import parse_json

if TYPE_CHECKING:
    from pruning.engine.store_server import ServerDatabase

FORMAT = 1
"""Results of another format are ignored."""
FIND = """SELECT images, result FROM results
    WHERE key = :key AND images <= :max_images ORDER BY images DESC"""
REMOVE = "DELETE FROM results WHERE key = :key AND images = :images"
# The result is text that `json.dumps` has written.
REMOVE_CONTINUED = """DELETE FROM results
    WHERE key = :key AND images < :images AND result LIKE '%"open": true%'"""
INSERT = f"""INSERT INTO results ({", ".join(COLUMNS)})
    VALUES ({", ".join(f":{name}" for name in COLUMNS)})
    ON CONFLICT (key, images) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name in COLUMNS[2:])}"""
SELECT_ALL = f"SELECT {', '.join(COLUMNS)} FROM results ORDER BY made DESC"
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://|postgres[a-z0-9+]*:", re.IGNORECASE)
"""How an address of a server begins, also one with a slash too few."""
SERVER_ADDRESS = re.compile(r"postgres(ql)?(\+psycopg)?://", re.IGNORECASE)

logger = logging.getLogger(__name__)


def location() -> str:
    """Return where results are stored, for people.

    Returns
    -------
    str
        The path of a file, or the address of a server without its password.

    Raises
    ------
    PrunescopeError
        ``PRUNESCOPE_STORE`` is the address of something else, or a package is missing.
    """
    return _database().location


def path() -> Path:
    """Return the file in which results are stored.

    Returns
    -------
    Path
        ``PRUNESCOPE_STORE``, else ``results.sqlite`` in the user's data directory.

    Raises
    ------
    ValueError
        The store is no file.
    """
    if _address():
        raise ValueError("the store is no file")
    return store_file.path()


def check() -> None:
    """Check that results can be read.

    Raises
    ------
    PrunescopeError
        They cannot; the message says what to do.
    """
    _database().check()


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

    def find(transaction: Transaction) -> list[tuple[Any, ...]]:
        return transaction.select(FIND, {"key": result_key, "max_images": max_images})

    nothing: list[tuple[Any, ...]] = []
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
    logger.warning("a damaged result in %s is measured again (%s)", location(), error)

    def remove(transaction: Transaction) -> None:
        transaction.change(REMOVE, {"key": result_key, "images": images})

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
    # Processes that lock the same rows in the same order wait, but not for each other.
    new_rows.sort(key=lambda row: (row["key"], row["images"]))

    def write(transaction: Transaction) -> bool:
        transaction.change_many(REMOVE_CONTINUED, new_rows)
        transaction.change_many(INSERT, new_rows)
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

    Raises
    ------
    PrunescopeError
        The store cannot be used.
    """

    def select(transaction: Transaction) -> list[tuple[Any, ...]]:
        return transaction.select(SELECT_ALL, {})

    for row in _answer(_transaction(select, default=None)):
        yield dict(zip(COLUMNS, row, strict=True))


def clear() -> int:
    """Remove all results.

    Returns
    -------
    int
        How many there were.

    Raises
    ------
    PrunescopeError
        The store cannot be used.
    """

    def delete(transaction: Transaction) -> int:
        return transaction.change("DELETE FROM results", {})

    return _answer(_transaction(delete, default=None))


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

    Raises
    ------
    PrunescopeError
        The store cannot be used; no file is written.
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


def close() -> None:
    """Close the connections to a server, if there are any; the next use opens others."""
    global _server
    with _choosing:
        if _server is not None:
            _server.close()
        _server = None


_file = store_file.FileDatabase()
_server: "ServerDatabase | None" = None
_server_address = ""
_choosing = threading.Lock()


def _answer(answer: Answer | None) -> Answer:
    """Return the answer of a database that could be used."""
    if answer is None:
        raise PrunescopeError(
            f"the store {location()} cannot be used: the warning before this line says why"
        )
    return answer


def _transaction(work: Callable[[Transaction], Answer], default: Answer) -> Answer:
    return _database().transaction(work, default)


def _address() -> str:
    """Return the address of the server that `PRUNESCOPE_STORE` names; empty if it is a file."""
    value = os.environ.get(STORE_VARIABLE, "").strip()
    return value if ADDRESS.match(value) else ""


def _database() -> Database:
    """Return the database that `PRUNESCOPE_STORE` names."""
    global _server, _server_address
    address = _address()
    if not address:
        return _file
    with _choosing:
        if _server is None or address != _server_address:
            new = _new_server(address)
            if _server is not None:
                _server.close()
            _server, _server_address = new, address
        return _server


def _new_server(address: str) -> "ServerDatabase":
    if not SERVER_ADDRESS.match(address):
        scheme = address.partition(":")[0]
        raise PrunescopeError(
            f"{STORE_VARIABLE} is not valid (it begins with {scheme}:): it is the path of a file, "
            "or postgresql+psycopg://user:password@host/database"
        )
    try:
        from pruning.engine.store_server import ServerDatabase
    except ImportError:
        raise PrunescopeError(
            "a store on a server needs SQLAlchemy and psycopg: run "
            "`pip install prunescope[postgresql]`"
        ) from None
    return ServerDatabase(address)
