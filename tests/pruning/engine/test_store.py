import csv
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

from pruning.cost.macs import Cost
from pruning.data import datasets
from pruning.engine import store
from pruning.engine.evaluate import evaluate
from pruning.engine.evaluation import Evaluation
from pruning.engine.prune import prune
from pruning.engine.stored_result import StoredResult
from pruning.inference.accuracy import Tally
from pruning.models import checkpoints
from pruning.recipe.recipe import Recipe
from pruning.recipe.step import Step

ROOT = Path(__file__).parents[3]
one_step = Recipe.one_step
RECIPE = one_step("lenet300", "digits", value=0.5)

pytestmark = pytest.mark.usefixtures("empty_store")
on_both = pytest.mark.parametrize(
    "empty_store", ["file", pytest.param("server", marks=pytest.mark.slow)], indirect=True
)
"""The test runs with a file and with a server."""


def result(recipe: Recipe = RECIPE, images: int = 360, loss: float = 1.5) -> Evaluation:
    return Evaluation(
        recipe=recipe,
        split="test",
        tally=Tally((images // 10,) * 10, loss, images),
        total=360,
        sparsity=0.5,
        removed_share=0.25,
        masked=Cost(2000, 3000),
        known_effective=Cost(1000, 1500),
    )


def put(*evaluations: Evaluation, is_unfinished: bool = False) -> bool:
    return store.put(evaluations, are_unfinished=[is_unfinished] * len(evaluations))


def get(recipe: Recipe = RECIPE, max_images: int = 360) -> StoredResult | None:
    return store.get(recipe, "test", max_images)


STORED = StoredResult.of(result(), is_unfinished=False)


def execute(statement: str, *values: object) -> None:
    """Change the database as another program would."""
    if "://" in os.environ["PRUNESCOPE_STORE"]:
        import psycopg

        address = os.environ["PRUNESCOPE_STORE"].replace("+psycopg", "")
        with psycopg.connect(address) as connection:
            connection.execute(statement.replace("?", "%s"), values)
        return
    database = sqlite3.connect(store.path())
    with database:
        database.execute(statement, values)
    database.close()


def stored_content() -> dict:
    [row] = store.rows()
    return json.loads(row["result"])


@on_both
def test_what_is_put_is_returned():
    assert get() is None
    stronger = RECIPE.with_last_step(value=0.6)
    assert put(result(), result(stronger, loss=2.5))
    assert get() == STORED and get(stronger).tally.loss == 2.5
    assert store.get(RECIPE, "validation", 360) is None
    assert get(RECIPE.with_last_step(value=0.7)) is None
    assert [row["images"] for row in store.rows()] == [360, 360]
    assert put()


FIRST_EDITION_KEYS = [
    (
        one_step("lenet300", "digits"),
        "59435944bfd2eb4c810f9bc4b02c29a7270e7bbfdce9012ad12ef76eeec29bb5",
    ),
    (
        one_step("lenet5", "digits", method="filter", scope="layer", value=0.3, seed=4),
        "99fda971cc9c103f83a9921435fa71813c17af877be77740cd2e19242e22ecb5",
    ),
    (
        one_step("lenet5", "digits", criterion="random", seed=7, max_test_images=100),
        "8b9618c7c8ec74b076b1ece172843bddc796d548cdc14b47d518ab7ac2afd50d",
    ),
    (
        one_step("lenet5", "digits", rule="threshold", value=0.02, scope="layer"),
        "de9361b295a814a006baaefdff5b96bcf51aadc31998a3059d62e6c5e5267bb7",
    ),
    (
        one_step("lenet5", "digits", rule="n_m", value="02:04"),
        "6a074a7ac99713059c55d106413a3a06d0aceaedc269e78a53dbc85b550b7737",
    ),
    (
        one_step(
            "lenet5",
            "digits",
            scope="custom",
            value=0.5,
            values=(("conv1", 0.1), ("fc1", 0.5)),
            layers=("conv1", "fc1"),
        ),
        "cfab8c1d43338a03922a8c6ba26c5f480816e6bc4e7615784a3b5e6da4f2fb31",
    ),
    (
        Recipe(
            "resnet20",
            "digits",
            (
                Step(method="layer", criterion="loss_change", value=0.34),
                Step(
                    method="filter",
                    criterion="taylor",
                    grouping="across",
                    scope="layer",
                    value=0.3,
                ),
            ),
            calibration=512,
        ),
        "cbeaa8d2fb783fb2f1940b0966aea8dade94f4f0fd1e5f417d6ce6b6a7dfb3da",
    ),
    (
        one_step(
            "lenet5",
            "digits",
            method="feature",
            criterion="class_entropy",
            variant="gini",
            value=0.5,
            calibration=100,
        ),
        "9c83a880b4306a8baf98d8780a581acb3e4ef1be0f1dc4bdf4a3fac94d63dd98",
    ),
]


LAYER_KEYS = [
    (
        one_step("lenet5", "digits", method="layer", criterion="loss_change", value=0.34),
        "2e355321f5740f8d8c6c25b23ce257b6eaf1e14da849c6bbaf3828736205f307",
    ),
    (
        one_step("resnet20", "digits", method="layer", variant="l2", value=0.5),
        "4c2aadbb6c0f2d5da09cbd69406be42a9410753f24feb4d0ca678cca0401cca4",
    ),
]


@pytest.mark.parametrize("recipe, key", LAYER_KEYS, ids=range(len(LAYER_KEYS)))
def test_results_of_single_layers_from_before_the_subnetworks_stay_readable(recipe, key):
    """These keys were computed before the method had groupings."""
    assert store.key(recipe, "test") == key
    assert store.key(recipe.with_last_step(grouping="single"), "test") == key
    assert store.key(recipe.with_last_step(grouping="subnetwork"), "test") != key


@pytest.mark.parametrize("recipe, key", FIRST_EDITION_KEYS, ids=range(len(FIRST_EDITION_KEYS)))
def test_results_of_the_first_edition_stay_readable(recipe, key):
    """These keys were computed by version 0.0."""
    assert store.key(recipe, "test") == key


@on_both
def test_the_masked_cost_that_the_first_edition_did_not_store_is_added(classified):
    [evaluation] = evaluate([RECIPE])
    content = stored_content()
    del content["masked_parameters"], content["masked_macs"]
    content["parameters"] = evaluation.effective.parameters
    content["macs"] = evaluation.effective.macs
    execute("UPDATE results SET result = ?", json.dumps(content))
    assert get().masked is None and get().effective == evaluation.effective
    classified.clear()
    [again] = evaluate([RECIPE])
    assert again == evaluation and again.masked == prune(RECIPE).masked and classified == []
    assert get().masked == evaluation.masked
    assert stored_content()["masked_parameters"] == evaluation.masked.parameters


@on_both
def test_an_effective_cost_that_was_not_needed_is_added_when_it_is(classified):
    [evaluation] = evaluate([RECIPE])
    assert get().effective is None
    classified.clear()
    other = RECIPE.with_last_step(value=0.123)
    again, _ = evaluate([RECIPE, other])
    assert again == evaluation and again.known_effective == evaluation.effective
    assert get().effective == evaluation.effective


@on_both
def test_an_open_result_of_the_first_edition_is_continued(classified):
    put(replace(result(images=250), masked=Cost(1, 1)), is_unfinished=True)
    content = stored_content()
    del content["masked_parameters"], content["masked_macs"]
    execute("UPDATE results SET result = ?", json.dumps(content))
    [evaluation] = evaluate([RECIPE])
    assert evaluation.tally.images == 360 and evaluation.masked == prune(RECIPE).masked
    assert [row["images"] for row in store.rows()] == [360]


@on_both
def test_results_of_fewer_images_stand_beside_those_of_more_unless_they_were_continued():
    put(result(images=250), is_unfinished=True)
    assert get().tally.images == 250 and get().is_unfinished and get(max_images=100) is None
    put(result(images=100))
    put(result())
    assert sorted(row["images"] for row in store.rows()) == [100, 360]
    assert get(max_images=100).tally.images == 100 and get().tally.images == 360


@on_both
def test_another_checkpoint_or_other_images_have_results_of_their_own(monkeypatch):
    put(result())
    card = checkpoints.shared_card("lenet300", "digits")
    with monkeypatch.context() as patch:
        other = replace(card, weights_sha256="0" * 64)
        patch.setattr(checkpoints, "shared_card", lambda *_: other)
        assert get() is None
    images = datasets.load("digits", "test")
    with monkeypatch.context() as patch:
        fewer = datasets.Images(images.pixels[:300], images.labels[:300])
        patch.setattr(datasets, "load", lambda *_: fewer)
        assert get() is None
    assert get() == STORED


@on_both
def test_many_writers_at_once_lose_nothing():
    def write(i: int) -> None:
        values = [i / 1000 + j / 10_000 for j in range(5)]
        assert put(*(result(RECIPE.with_last_step(value=value)) for value in values))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    assert len(list(store.rows())) == 200


WRITER = """
from tests.pruning.engine.test_store import RECIPE, put, result
for i in range(10_000):
    recipes = [RECIPE.with_last_step(value=(i * 20 + j) / 1e6) for j in range(20)]
    put(*[result(recipe, loss=float(i)) for recipe in recipes])
    print(i, flush=True)
"""


@pytest.mark.slow
@on_both
def test_a_process_that_is_killed_while_writing_loses_no_finished_result():
    done = 0
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    for line in writer.stdout:
        done = int(line) + 1
        if done == 5:
            break
    time.sleep(0.02)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    losses = [json.loads(row["result"])["loss"] for row in store.rows()]
    assert {i: losses.count(i) for i in range(done)} == dict.fromkeys(range(done), 20)
    assert all(losses.count(i) == 20 for i in set(losses)), "half of a transaction"
    put(result())
    assert get() == STORED


DAMAGE = {
    "cut": '{"ima',
    "missing fields": '{"images": 360}',
    "null": "null",
    "list": "[]",
    "text": '"text"',
    "empty": "",
    "nested": "[" * 100_000,
    "nested object": '{"images":' * 100_000,
    "an integer of 10,000 digits": '{"images": ' + "9" * 10_000 + "}",
}


def changed(**fields: object) -> str:
    return json.dumps(StoredResult.of(result(), is_unfinished=False).to_dict() | fields)


DAMAGE |= {
    "images as text": changed(images="360"),
    "images as a fraction": changed(images=360.0),
    "images as true": changed(images=True),
    "no images": changed(images=0),
    "other images than the row": changed(images=350),
    "more images than there are": changed(images=361),
    "total as text": changed(total="360"),
    "negative parameters": changed(parameters=-1),
    "parameters as a fraction": changed(parameters=0.5),
    "macs null": changed(macs=None),
    "masked parameters without MACs": changed(masked_macs=None),
    "masked parameters as text": changed(masked_parameters="2000"),
    "loss NaN": changed(loss=float("nan")),
    "loss infinite": changed(loss=float("inf")),
    "loss negative": changed(loss=-1.0),
    "loss as text": changed(loss="1.5"),
    "loss too large for a float": changed(loss=10**400),
    "sparsity NaN": changed(sparsity=float("nan")),
    "sparsity above 1": changed(sparsity=1.5),
    "sparsity as true": changed(sparsity=True),
    "share as a list": changed(share=[0.5]),
    "classes missing": changed(class_correct=[36] * 9),
    "classes too many": changed(class_correct=[36] * 11),
    "classes as text": changed(class_correct="36"),
    "a class as text": changed(class_correct=["36"] * 10),
    "a class negative": changed(class_correct=[-1] + [36] * 9),
    "a class above the images": changed(class_correct=[361] + [0] * 9),
    "more correct than images": changed(class_correct=[37] * 10),
    "open as text": changed(open="no"),
}


@on_both
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_row_is_dropped_logged_once_and_measured_again(damage, caplog, classified):
    [evaluation] = evaluate([RECIPE])
    execute("UPDATE results SET result = ?", damage)
    classified.clear()
    with caplog.at_level(logging.WARNING):
        assert get() is None and get() is None and list(store.rows()) == []
    [record] = [record for record in caplog.records if record.name == store.logger.name]
    assert "damaged" in record.getMessage() and len(record.getMessage()) < 500
    assert evaluate([RECIPE]) == (evaluation,) and sum(classified) == 360
    assert get() == StoredResult.of(evaluation, is_unfinished=False)


@on_both
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_an_evaluation_replaces_a_damaged_row(damage):
    [evaluation] = evaluate([RECIPE])
    execute("UPDATE results SET result = ?", damage)
    assert evaluate([RECIPE]) == (evaluation,) and get() is not None


@on_both
def test_a_damaged_row_does_not_hide_a_result_of_fewer_images():
    put(result(images=100))
    put(result())
    execute("UPDATE results SET result = 'null' WHERE images = 360")
    assert get().tally.images == 100
    assert [row["images"] for row in store.rows()] == [100]


@on_both
def test_export_and_clear(tmp_path):
    put(result())
    assert store.export(tmp_path / "all.csv") == 1
    with (tmp_path / "all.csv").open(newline="") as file:
        [row] = csv.DictReader(file)
    assert tuple(row) == store.COLUMNS and row["images"] == "360"
    assert json.loads(row["recipe"])["network"] == "lenet300"
    assert json.loads(row["result"]) == STORED.to_dict()
    assert store.clear() == 1 and list(store.rows()) == []
