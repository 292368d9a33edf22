"""Retraining on a local cluster of processes, an epoch a task."""

import os
import signal

import pytest

from pruning.training.cluster_runs import retrain_on_cluster
from pruning.training.retrain import retrain
from pruning.training.run_files import STATE, RunError, RunFiles, read_run
from tests.pruning.local_cluster import CLUSTER_MARKS
from tests.pruning.training.common import small_spec

pytest.importorskip("distributed")
pytestmark = CLUSTER_MARKS


def test_runs_are_as_on_this_machine(client, tmp_path):
    specs = [small_spec(name) for name in ("finetune", "iterative", "gradual")]
    shares = []
    retrain_on_cluster(specs, shares.append)
    assert shares == sorted(shares) and shares[0] == 0
    for spec in specs:
        there = read_run(spec.name)
        card = retrain(spec, folder=tmp_path / "here", device="cpu")
        here = read_run(spec.name, tmp_path / "here")
        assert there.state == "finished" and there.epochs == here.epochs == spec.total_epochs
        assert there.sparsity == pytest.approx(here.sparsity)
        assert there.card.test_accuracy == pytest.approx(card.test_accuracy, abs=0.03)
        assert not (RunFiles(spec.name).folder / STATE).exists()
        assert not RunFiles(spec.name).is_locked
    retrain_on_cluster(specs)  # finished: nothing is submitted


def test_finished_epochs_are_kept_where_it_is_cancelled(client):
    spec = small_spec("finetune", epochs=4)

    def stop(share: float) -> None:
        if share >= 0.25:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        retrain_on_cluster([spec], stop)
    paused = read_run(spec.name)
    assert paused.state == "paused" and 1 <= paused.epochs < 4
    shares = []
    retrain_on_cluster([spec], shares.append)
    assert shares[0] == paused.epochs / 4
    assert read_run(spec.name).state == "finished"


def test_an_epoch_of_a_killed_worker_is_trained_elsewhere(client):
    spec = small_spec("finetune", epochs=3)
    processes = set(client.run(os.getpid).values())
    killed = []

    def kill_once(share: float) -> None:
        if share > 0 and not killed:
            killed.extend(list(processes)[:2])
            for process in killed:
                os.kill(process, signal.SIGKILL)

    retrain_on_cluster([spec], kill_once)
    assert killed
    run = read_run(spec.name)
    assert (run.state, run.epochs) == ("finished", 3)


def test_a_run_is_trained_once_at_a_time(client):
    spec = small_spec("finetune")
    with RunFiles(spec.name).locked(), pytest.raises(RunError, match="trained by another process"):
        retrain_on_cluster([spec])
