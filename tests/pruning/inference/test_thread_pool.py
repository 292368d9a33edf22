import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.engine import prune as experiment
from pruning.inference import thread_pool as workers
from pruning.inference.classify import tallies, tallies_of_many
from pruning.inference.thread_pool import run_in_threads
from pruning.recipe.recipe import Recipe


@pytest.fixture(params=[1, 3])
def threads(request, monkeypatch):
    with ThreadPoolExecutor(request.param, initializer=workers._alone) as pool:
        monkeypatch.setattr(workers, "_pool", lambda: pool)
        monkeypatch.setattr(torch, "get_num_threads", lambda: request.param)
        yield request.param


def test_every_item_of_every_iterator_in_its_order(threads):
    found = list(run_in_threads(iter([(k, i) for i in range(k)]) for k in range(8)))
    assert sorted(found) == [(k, (k, i)) for k in range(8) for i in range(k)]
    for k in range(8):
        assert [item for walk, item in found if walk == k] == [(k, i) for i in range(k)]


def test_as_many_at_a_time_as_there_are_threads(threads):
    """All threads must be inside an item at once, or nobody passes."""
    meet = threading.Barrier(threads)

    def walk():
        for _ in range(5):
            meet.wait(20)
            yield threading.get_ident()

    assert len({item for _, item in run_in_threads(walk() for _ in range(threads))}) == threads


def test_nothing_begins_while_nobody_asks_and_nothing_is_left_behind(threads):
    begun, ended = [], []

    def walk():
        for i in range(100):
            begun.append(i)
            time.sleep(0.01)
            ended.append(i)
            yield i

    found = run_in_threads(walk() for _ in range(threads))
    next(found)
    time.sleep(0.3)
    assert len(begun) <= threads
    next(found)
    found.close()
    assert len(begun) == len(ended) <= threads + 2
    time.sleep(0.1)
    assert len(begun) <= threads + 2


def test_an_error_comes_out_and_ends_the_others(threads):
    begun, ended = [], []

    def bad():
        yield 1
        if threads > 1:
            while not begun:  # the others are in the middle of something
                time.sleep(0.001)
        raise RuntimeError("no")

    def slow():
        for _ in range(1000):
            begun.append(1)
            time.sleep(0.05)
            ended.append(1)
            yield 2

    with pytest.raises(RuntimeError, match="no"):
        list(run_in_threads([bad(), slow(), slow()]))
    assert len(begun) == len(ended) <= 10


def test_work_in_work_is_an_error_and_not_a_wait_for_ever(threads):
    def nested():
        yield list(run_in_threads([iter([1])]))

    with pytest.raises(RuntimeError, match="cannot be nested"):
        list(run_in_threads([nested()]))


@pytest.mark.skipif(sys.platform != "linux", reason="one priority for all threads")
def test_a_process_that_is_nicer_already_stays_as_nice():
    program = (
        "import os; os.nice(19); import pruning, threading; from pruning.inference.thread_pool import run_in_threads\n"
        "print([n for _, n in run_in_threads([iter([os.getpriority(os.PRIO_PROCESS, 0)])])])\n"
        "from pruning.inference import thread_pool as workers; print(workers._pool().submit(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())).result())"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=240
    )
    assert found.stdout.split("\n")[1] == "19", found.stderr


def test_an_interruption_comes_out_only_after_long_work(threads, monkeypatch):
    def walk():
        for i in range(3):
            yield None
            yield i

    assert [item for _, item in run_in_threads([walk()])] == [0, 1, 2]
    monkeypatch.setattr(workers, "LONG", -1.0)
    assert [item for _, item in run_in_threads([walk()])] == [None, 0, None, 1, None, 2]


def test_a_worker_computes_by_itself_behind_the_pages_and_others_keep_their_threads():
    before, seen = torch.get_num_threads(), []
    with ThreadPoolExecutor(1, initializer=workers._alone) as pool:
        assert pool.submit(torch.get_num_threads).result() == 1
        if sys.platform == "linux":
            assert (
                pool.submit(
                    lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
                ).result()
                >= workers.NICE
            )
    thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert torch.get_num_threads() == before == seen[0]


@pytest.mark.parametrize("network", ["lenet300", "lenet5", "resnet20"])
def test_the_same_counts_with_any_number_of_threads(threads, network):
    """Of each recipe the batches come in order, so that what was measured when it was stopped are the first images."""
    images, data = datasets.load("digits", "test"), DATASETS["digits"]
    states = [
        experiment.pruned(Recipe(network, "digits", value=value)) for value in (0.3, 0.9, 0.97)
    ]
    many, seen = [state.masks.apply(state.model) for state in states], {0: [], 1: [], 2: []}

    def enough(which: int) -> bool:
        return which == 1 and len(seen[1]) >= 3

    for i, tally in filter(
        None, tallies_of_many(states[0].model, many, images, data, batch=40, done=enough)
    ):
        seen[i].append(tally)
    for i, parameters in enumerate(many):
        alone = list(tallies(states[i].model, parameters, images, data, batch=40))
        assert [t.class_correct for t in seen[i]] == [t.class_correct for t in alone][
            : 3 if i == 1 else None
        ]
