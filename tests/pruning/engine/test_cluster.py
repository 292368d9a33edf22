"""Evaluations on a local cluster of processes."""

import os
import signal
import time

import pytest
import torch

from pruning.data.own_dataset import register_dataset
from pruning.engine import cluster
from pruning.engine.cluster import MIN_RECIPES
from pruning.engine.cluster_versions import ClusterError, own_versions
from pruning.engine.evaluate import EvaluationProgress, evaluate
from pruning.models.own_network import register_network
from pruning.recipe.recipe import Recipe
from pruning.runtime.defaults import CLUSTER_VARIABLE
from tests.pruning.local_cluster import CLUSTER_MARKS, WORKERS
from tests.small_network import SmallNetwork

distributed = pytest.importorskip("distributed")
pytestmark = CLUSTER_MARKS
RECIPES = [
    Recipe.one_step("lenet300", "digits", criterion="random", value=value / 100)
    for value in range(0, 90, 3)
]


def here(recipes, monkeypatch, tmp_path):
    """The same on this machine, with another store."""
    monkeypatch.setenv(CLUSTER_VARIABLE, "")
    monkeypatch.setenv("PRUNESCOPE_STORE", str(tmp_path / "other.sqlite"))
    return evaluate(recipes)


def assert_same(found, expected) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.recipe == other.recipe
        assert one.tally == other.tally
        assert (one.sparsity, one.masked, one.effective) == (
            other.sparsity,
            other.masked,
            other.effective,
        )


def test_results_are_those_of_this_machine_and_are_stored(client, monkeypatch, tmp_path):
    found = evaluate(RECIPES)
    monkeypatch.setattr("pruning.engine.evaluate.evaluate_on_cluster", None)
    again = evaluate(RECIPES)  # from the store
    assert_same(again, found)
    assert_same(found, here(RECIPES, monkeypatch, tmp_path))


def test_a_few_recipes_are_evaluated_here(client, monkeypatch):
    monkeypatch.setattr("pruning.engine.evaluate.evaluate_on_cluster", None)
    assert len(evaluate(RECIPES[: MIN_RECIPES - 1])) == MIN_RECIPES - 1


def test_a_network_and_data_of_a_user_travel_to_the_workers(client, monkeypatch, tmp_path):
    images = torch.rand(60, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(2)
    network = register_network(SmallNetwork().eval(), (1, 8, 8), "Mine")
    data = register_dataset((images, torch.arange(60) % 10))
    recipes = [Recipe.one_step(network.name, data.name, value=value / 10) for value in range(1, 8)]
    assert_same(evaluate(recipes), here(recipes, monkeypatch, tmp_path))


def test_tasks_of_a_killed_worker_run_elsewhere(client, monkeypatch, tmp_path):
    processes = list(client.run(os.getpid).values())
    assert len(set(processes)) == WORKERS
    killed = []

    def kill_once(progress: EvaluationProgress) -> None:
        if progress.share > 0.1 and not killed:
            killed.append(processes[0])
            os.kill(processes[0], signal.SIGKILL)

    found = evaluate(RECIPES, report=kill_once)
    assert killed
    assert_same(found, here(RECIPES, monkeypatch, tmp_path))


def test_what_is_finished_is_kept_where_the_work_is_cancelled(client, monkeypatch):
    def stop(progress: EvaluationProgress) -> None:
        if progress.share > 0.3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        evaluate(RECIPES, report=stop)
    asked = []
    original = cluster.evaluate_on_cluster

    def count(recipes, *arguments):
        asked.append(len(recipes))
        return original(recipes, *arguments)

    monkeypatch.setattr("pruning.engine.evaluate.evaluate_on_cluster", count)
    evaluate(RECIPES)
    assert asked and asked[0] < len(RECIPES)


def test_other_versions_are_refused_by_a_sentence(client, monkeypatch):
    other = own_versions() | {"torch": "1.0.0"}
    monkeypatch.setattr(cluster, "own_versions", lambda: other)
    with pytest.raises(ClusterError, match=r"a worker has torch .*, and this machine 1\.0\.0"):
        evaluate(RECIPES)


def test_other_images_are_refused_by_a_sentence(client, monkeypatch):
    monkeypatch.setattr(cluster.store, "key", lambda recipe, split: f"other {hash(recipe)}")
    results = cluster.evaluate_on_cluster(RECIPES[:4], "test", None, lambda: None)
    with pytest.raises(ClusterError, match="other weights of lenet300 or other images of digits"):
        list(results)


def test_a_scheduler_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv(CLUSTER_VARIABLE, "tcp://127.0.0.1:9")
    monkeypatch.setattr(cluster, "CONNECT_S", 1)
    with pytest.raises(ClusterError, match=r"no scheduler at tcp://127\.0\.0\.1:9"):
        evaluate(RECIPES)


@pytest.mark.parametrize("address", ["scheduler", "http://here", "tcp://"])
def test_other_addresses_are_named(monkeypatch, address):
    monkeypatch.setenv(CLUSTER_VARIABLE, address)
    monkeypatch.setattr(cluster, "CONNECT_S", 1)
    with pytest.raises(ClusterError, match=address):
        evaluate(RECIPES)


def test_a_scheduler_without_workers_and_one_that_is_lost(monkeypatch, tmp_path):
    monkeypatch.setenv("PRUNESCOPE_STORE", str(tmp_path / "store.sqlite"))
    monkeypatch.setattr(cluster, "LOST_S", 0.5)
    empty = distributed.LocalCluster(n_workers=0, dashboard_address=None, processes=False)
    with empty:
        monkeypatch.setenv(CLUSTER_VARIABLE, empty.scheduler_address)
        with pytest.raises(ClusterError, match="has no worker: start some"):
            evaluate(RECIPES)
        empty.scale(1)
        empty.wait_for_workers(1, timeout=30)
        client = cluster.connected_client()
        monkeypatch.setattr(client, "status", "connecting", raising=False)
        began = time.monotonic()
        results = cluster.evaluate_on_cluster(RECIPES, "test", None, lambda: None)
        with pytest.raises(ClusterError, match="is lost: every finished result is kept"):
            list(results)
        assert time.monotonic() - began < 20
        client.status = "closed"
    cluster.forget_client()
