"""``store``: list, export, clear; and stores that are damaged."""

import csv
import os
import sqlite3
from contextlib import closing

import pytest

from pruning.cli.main import run
from tests.pruning.cli.common import PRUNE_SMALL, error_of, run_json, run_text

ROW_KEYS = ["key", "images", "recipe", "split", "checkpoint", "data", "result", "made"]
ACTIONS = [("list",), ("list", "--json"), ("export", "{folder}/all.csv"), ("clear",)]


@pytest.fixture
def filled_store(own_store, capsys):
    run_json(capsys, *PRUNE_SMALL, "--sparsity", "0.5")
    run_json(capsys, *PRUNE_SMALL, "--sparsity", "0.6", "--images", "100")
    return own_store


@pytest.mark.parametrize(
    "own_store", ["file", pytest.param("server", marks=pytest.mark.slow)], indirect=True
)
def test_list_export_and_clear(capsys, filled_store, tmp_path):
    newest, oldest = run_json(capsys, "store", "list")
    assert list(newest) == ROW_KEYS
    assert (newest["recipe"]["value"], newest["result"]["images"]) == (0.6, 100)
    assert (oldest["recipe"]["value"], oldest["result"]["images"]) == (0.5, 360)
    text = run_text(capsys, "store", "list")
    assert "lenet300       digits   test          360 images" in text
    assert "weight magnitude sparsity=0.5" in text
    assert text.endswith(f"2 results in {filled_store}\n")

    file = tmp_path / "all.csv"
    assert run_text(capsys, "store", "export", str(file)) == f"2 results written to {file}\n"
    with file.open(newline="") as opened:
        assert [row["images"] for row in csv.DictReader(opened)] == ["100", "360"]

    assert run_text(capsys, "store", "clear") == "2 results deleted\n"
    assert run_json(capsys, "store", "list") == []


def test_a_store_that_does_not_exist_is_empty(capsys, own_store):
    assert run_text(capsys, "store", "list") == f"0 results in {own_store}\n"


@pytest.mark.parametrize("action", ACTIONS)
def test_a_server_that_does_not_answer_is_named(
    capsys, server_store, monkeypatch, tmp_path, action
):
    arguments = [argument.format(folder=tmp_path) for argument in action]
    monkeypatch.setenv("PRUNESCOPE_STORE", server_store.address_of("somebody:secret"))
    message = error_of(capsys, "store", *arguments, code=1)
    assert f"{server_store.address_of('somebody:***')} cannot be read as a store" in message
    assert "password authentication failed" in message and "secret" not in message
    assert not list(tmp_path.glob("*.csv"))


def test_an_address_of_another_database_is_refused(capsys, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_STORE", "mysql://somebody:secret@host/database")
    for command in (["store", "list"], [*PRUNE_SMALL, "--sparsity", "0.5"]):
        message = error_of(capsys, *command, code=1)
        assert "PRUNESCOPE_STORE is not valid" in message and "secret" not in message


@pytest.mark.parametrize("content", [b"not a database at all " * 50, b"\x00\xff" * 3_000])
@pytest.mark.parametrize("action", ACTIONS)
def test_a_file_that_is_not_sqlite_is_named_and_stays(capsys, own_store, tmp_path, content, action):
    own_store.parent.mkdir()
    own_store.write_bytes(content)
    arguments = [argument.format(folder=tmp_path) for argument in action]
    message = error_of(capsys, "store", *arguments, code=1)
    assert f"{own_store} cannot be read as a store of results" in message
    assert own_store.read_bytes() == content


def test_other_tables_and_folders_are_named(capsys, own_store, monkeypatch, tmp_path):
    own_store.parent.mkdir()
    with closing(sqlite3.connect(own_store)) as database:
        database.execute("CREATE TABLE results (other TEXT)")
    assert str(own_store) in error_of(capsys, "store", "list", code=1)
    monkeypatch.setenv("PRUNESCOPE_STORE", str(tmp_path))
    assert str(tmp_path) in error_of(capsys, "store", "list", code=1)


def test_a_truncated_store_is_named(capsys, filled_store, tmp_path, monkeypatch):
    truncated = tmp_path / "truncated.sqlite"
    with closing(sqlite3.connect(filled_store)) as source:
        source.execute("VACUUM INTO ?", (str(truncated),))
    size = truncated.stat().st_size // 2
    os.truncate(truncated, size)
    monkeypatch.setenv("PRUNESCOPE_STORE", str(truncated))
    assert str(truncated) in error_of(capsys, "store", "list", code=1)
    assert truncated.stat().st_size == size


DEEP = "[" * 10_000
DAMAGED = [
    ("recipe", "{"),
    ("recipe", None),
    ("recipe", DEEP),
    ("recipe", '{"network": 5}'),
    ("result", "[]"),
    ("result", b"\xff"),
    ("result", '{"images": 0}'),
    ("result", DEEP),
    ("split", b"x"),
    ("images", 7),
    ("made", None),
    ("key", None),
]


def test_damaged_rows_are_left_out_and_counted(capsys, filled_store):
    with closing(sqlite3.connect(filled_store)) as database:
        row = database.execute("SELECT * FROM results").fetchone()
        for number, (column, value) in enumerate(DAMAGED):
            columns = dict(zip(ROW_KEYS, row, strict=True)) | {"key": f"damaged {number}"}
            columns[column] = value
            marks = ", ".join("?" * len(ROW_KEYS))
            database.execute(f"INSERT INTO results VALUES ({marks})", tuple(columns.values()))
        database.commit()
    for arguments in (["store", "list"], ["store", "list", "--json"]):
        assert run(arguments) == 0
        out, err = capsys.readouterr()
        assert err == f"damaged results that are not listed: {len(DAMAGED)}\n"
        assert out.count("magnitude") == 2
