"""The store as a SQLite file; `test_store.py` has what a file and a server have in common."""

import logging
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from pruning.engine import store
from pruning.engine.evaluate import evaluate
from pruning.runtime.errors import PrunescopeError
from tests.pruning.engine.test_store import RECIPE, STORED, execute, get, put, result

pytestmark = pytest.mark.usefixtures("empty_store")


def open_damaged_store(content: bytes, folder: Path, monkeypatch) -> None:
    """Use a store whose file is broken when it is opened."""
    path = folder / "damaged.sqlite"
    path.write_bytes(content)
    monkeypatch.setenv("PRUNESCOPE_STORE", str(path))


@pytest.mark.parametrize(
    "damage", [b"not a database at all, but long enough to be read as one" * 50, b""]
)
def test_a_broken_file_is_renamed_and_a_new_one_begins(damage, tmp_path, monkeypatch, caplog):
    open_damaged_store(damage, tmp_path, monkeypatch)
    with caplog.at_level(logging.WARNING):
        assert put(result()) and get() == STORED
    aside = list(tmp_path.glob("*.broken-*"))
    assert [path.read_bytes() for path in aside] == ([damage] if damage else [])
    assert ("was broken" in caplog.text) == bool(damage)


@pytest.mark.parametrize("damage", [b"not a database at all" * 500, b""])
def test_a_file_that_is_damaged_while_it_is_open_is_replaced(damage):
    put(result())
    store.path().write_bytes(damage)
    for suffix in ("-wal", "-shm"):
        Path(f"{store.path()}{suffix}").unlink(missing_ok=True)
    assert put(result()) and get() == STORED


def test_many_threads_replace_a_broken_file_by_one_new_file(tmp_path, monkeypatch):
    open_damaged_store(b"not a database at all" * 500, tmp_path, monkeypatch)
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: put(result()), range(16)))
    assert get() == STORED and len(list(tmp_path.glob("*.broken-*"))) == 1


def test_a_new_file_at_the_same_path_is_opened():
    put(result())
    store.path().rename(store.path().with_name("old"))
    for suffix in ("-wal", "-shm"):
        Path(f"{store.path()}{suffix}").unlink(missing_ok=True)
    assert get() is None
    assert put(result()) and get() == STORED


@pytest.mark.parametrize(
    "column, value", [("result", b"\xff\xfe"), ("result", None), ("result", 5)]
)
def test_a_row_of_another_type_is_dropped(column, value):
    put(result())
    execute(f"UPDATE results SET {column} = ?", value)
    assert get() is None and put(result()) and get() == STORED


def test_a_path_that_cannot_be_written_is_logged_and_not_an_error(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PRUNESCOPE_STORE", str(tmp_path / "file" / "results.sqlite"))
    with caplog.at_level(logging.WARNING):
        assert not put(result())
        assert get() is None
        assert evaluate([RECIPE])[0].accuracy.complete
    assert "results are not kept" in caplog.text


@pytest.mark.parametrize("work", [lambda: list(store.rows()), store.clear])
def test_commands_on_a_store_that_cannot_be_used_say_so(work, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PRUNESCOPE_STORE", str(tmp_path / "file" / "results.sqlite"))
    with pytest.raises(PrunescopeError, match="cannot be used"):
        work()


def test_it_is_an_ordinary_database():
    put(result())
    database = sqlite3.connect(store.path())
    assert database.execute("SELECT images, split FROM results").fetchall() == [(360, "test")]
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()


def test_a_check_names_a_broken_file_and_leaves_it(tmp_path, monkeypatch):
    store.check()  # no file is an empty store
    put(result())
    store.check()
    open_damaged_store(b"not a database at all" * 500, tmp_path, monkeypatch)
    content = store.path().read_bytes()
    with pytest.raises(PrunescopeError, match="cannot be read as a store of results"):
        store.check()
    assert store.path().read_bytes() == content
    assert store.location() == str(store.path())


def test_a_file_of_an_earlier_version_is_used():
    put(result())
    row = tuple(next(iter(store.rows())).values())
    path = store.path().with_name("earlier.sqlite")
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            "CREATE TABLE results (key TEXT, images INTEGER, recipe TEXT, split TEXT,"
            " checkpoint TEXT, data TEXT, result TEXT, made REAL, PRIMARY KEY (key, images))"
        )
        database.execute("INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        database.commit()
    path.replace(store.path())
    for suffix in ("-wal", "-shm"):
        Path(f"{store.path()}{suffix}").unlink(missing_ok=True)
    assert get() == STORED and put(result(loss=2.5)) and get().tally.loss == 2.5
    assert store.clear() == 1


@pytest.mark.parametrize("name", ["results:2026.sqlite", "a b%20c?d=e", "postgres", "C:results"])
def test_names_of_files_are_not_taken_for_addresses(tmp_path, monkeypatch, name):
    monkeypatch.setenv("PRUNESCOPE_STORE", str(tmp_path / name))
    assert put(result()) and (tmp_path / name).exists()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRUNESCOPE_STORE", name)
    assert get() == STORED
