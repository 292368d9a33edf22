"""Results on disk: whole or not at all, whoever writes, and never another checkpoint's or another data set's."""

import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from pruning.data import datasets
from pruning.engine import store
from pruning.models import checkpoints
from pruning.recipe.recipe import Recipe

ROOT = Path(__file__).parents[3]
RECIPE = Recipe("lenet300", "digits", value=0.5)


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_STORE", str(tmp_path / "sub" / "results.sqlite"))


def result(images: int = 360, **more) -> dict:
    about = {"total": 360, "sparsity": 0.5, "share": 0.5, "parameters": 1000, "macs": 1000}
    return {
        "images": images,
        "class_correct": [images // 10] * 10,
        "loss": 1.5,
        "open": False,
        **about,
        **more,
    }


def test_what_is_put_is_there():
    assert store.get(RECIPE, "test") is None
    store.put({RECIPE: result(), replace(RECIPE, value=0.6): result(loss=2.5)}, "test")
    assert (
        store.get(RECIPE, "test") == result()
        and store.get(replace(RECIPE, value=0.6), "test")["loss"] == 2.5
    )
    assert (
        store.get(RECIPE, "validation") is None
        and store.get(replace(RECIPE, value=0.7), "test") is None
    )
    assert store.get(replace(RECIPE, seed=3), "test") == result()  # magnitude has no seed
    assert [row["images"] for row in store.rows()] == [360, 360]


def test_results_of_fewer_images_stand_beside_those_of_more_unless_they_went_on():
    store.put({RECIPE: result(250, open=True)}, "test")
    assert (
        store.get(RECIPE, "test")["images"] == 250
        and store.get(replace(RECIPE, images=100), "test") is None
    )
    store.put({RECIPE: result(100)}, "test")
    store.put({RECIPE: result(360)}, "test")
    assert sorted(row["images"] for row in store.rows()) == [100, 360]
    assert (
        store.get(replace(RECIPE, images=100), "test")["images"] == 100
        and store.get(RECIPE, "test")["images"] == 360
    )


def test_another_checkpoint_or_other_images_have_results_of_their_own(monkeypatch):
    store.put({RECIPE: result()}, "test")
    card = checkpoints.shared_card("lenet300", "digits")
    monkeypatch.setattr(
        checkpoints, "shared_card", lambda *_: replace(card, weights_sha256="0" * 64)
    )
    assert store.get(RECIPE, "test") is None
    monkeypatch.undo()
    images = datasets.load("digits", "test")
    monkeypatch.setattr(
        datasets, "load", lambda *_: datasets.Images(images.pixels[:300], images.labels[:300])
    )
    assert store.get(RECIPE, "test") is None


def test_many_writers_at_once_lose_nothing():
    def write(i: int) -> None:
        store.put(
            {replace(RECIPE, value=i / 1000 + j / 10_000): result() for j in range(5)}, "test"
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    assert len(list(store.rows())) == 200


def test_processes_that_are_killed_while_writing_lose_no_finished_result():
    code = (
        "import sys; from dataclasses import replace; from pruning.engine import store; from pruning.recipe.recipe import Recipe\n"
        "r = Recipe('lenet300', 'digits')\n"
        "for i in range(10_000):\n"
        "    store.put({replace(r, value=(i * 20 + j) / 1e6): {'images': 360, 'class_correct': [i] * 10, 'loss': 0.0, 'open': False}"
        " for j in range(20)}, 'test')\n"
        "    print(i, flush=True)\n"
    )
    done = 0
    writer = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    for line in writer.stdout:
        done = int(line) + 1
        if done == 5:
            break
    time.sleep(0.02)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    found = [json.loads(row["result"])["class_correct"][0] for row in store.rows()]
    assert {i: found.count(i) for i in range(done)} == dict.fromkeys(range(done), 20)
    assert all(found.count(i) == 20 for i in set(found)), "half of a transaction"
    store.put({RECIPE: result()}, "test")
    assert store.get(RECIPE, "test") == result()


@pytest.mark.parametrize(
    "damage", [b"not a database at all, but long enough to be read as one" * 50, b""]
)
def test_a_broken_file_is_put_aside_and_a_new_one_begins(damage, caplog):
    store.put({RECIPE: result()}, "test")
    store.path().write_bytes(damage)
    for beside in ("-wal", "-shm"):
        Path(f"{store.path()}{beside}").unlink(missing_ok=True)
    with caplog.at_level(logging.WARNING):
        assert store.put({RECIPE: result()}, "test") and store.get(RECIPE, "test") == result()
    aside = list(store.path().parent.glob("*.broken-*"))
    assert len(aside) == (1 if damage else 0) and ("was broken" in caplog.text) == bool(damage)


def test_a_new_store_is_not_put_aside_for_the_old_one(monkeypatch):
    """Another thread has met the same broken file, and has begun a new one already."""
    store.put({RECIPE: result()}, "test")
    broken = (1, 2)
    assert (
        store._put_aside(broken, sqlite3.DatabaseError("malformed"))
        and store.get(RECIPE, "test") == result()
    )


def test_a_damaged_row_is_measured_again():
    store.put({RECIPE: result()}, "test")
    for damage in ('{"ima', '{"images": 360}', "null"):
        with sqlite3.connect(store.path()) as db:
            db.execute("UPDATE results SET result = ?", (damage,))
        db.close()
        assert store.get(RECIPE, "test") is None
    assert store.put({RECIPE: result()}, "test") and store.get(RECIPE, "test") == result()


def test_a_place_that_cannot_be_written_is_told_and_stops_nothing(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PRUNESCOPE_STORE", str(tmp_path / "file" / "results.sqlite"))
    with caplog.at_level(logging.WARNING):
        assert not store.put({RECIPE: result()}, "test")
        assert store.get(RECIPE, "test") is None and list(store.rows()) == [] and store.clear() == 0
    assert "results are not kept" in caplog.text


def test_export_and_clear(tmp_path):
    store.put({RECIPE: result()}, "test")
    assert store.export(tmp_path / "all.csv") == 1
    header, row = (tmp_path / "all.csv").read_text().splitlines()
    assert header.startswith("key,images,recipe") and ",360," in row and "lenet300" in row
    assert store.clear() == 1 and list(store.rows()) == []


def test_it_is_an_ordinary_database():
    store.put({RECIPE: result()}, "test")
    with sqlite3.connect(store.path()) as db:
        assert db.execute("SELECT images, split FROM results").fetchall() == [(360, "test")]
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    db.close()
