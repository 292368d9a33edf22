import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.inference import thread_pool
from pruning.inference.accuracy import Tally
from pruning.inference.classify import BatchTally, classify
from pruning.inference.thread_pool import run_in_threads
from pruning.models import checkpoints
from tests.pruning.inference.common import smallest_weights_removed


@pytest.fixture(params=[1, 3])
def threads(request, monkeypatch):
    with ThreadPoolExecutor(request.param, initializer=thread_pool.init_worker) as pool:
        monkeypatch.setattr(thread_pool, "worker_pool", lambda: pool)
        monkeypatch.setattr(torch, "get_num_threads", lambda: request.param)
        yield request.param


def test_every_item_of_every_iterator_in_its_order(threads):
    found = list(run_in_threads(iter([(k, i) for i in range(k)]) for k in range(8)))
    assert sorted(found) == [(k, (k, i)) for k in range(8) for i in range(k)]
    for k in range(8):
        assert [item for walk, item in found if walk == k] == [(k, i) for i in range(k)]


def test_as_many_at_a_time_as_there_are_threads(threads):
    """All threads must be inside an item at once: the barrier has as many parties."""
    meet = threading.Barrier(threads)

    def walk():
        for _ in range(5):
            meet.wait(20)
            yield threading.get_ident()

    assert len({item for _, item in run_in_threads(walk() for _ in range(threads))}) == threads


def test_no_item_is_begun_between_calls_of_next_or_after_close(threads):
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


def test_an_error_is_raised_and_ends_the_other_tasks(threads):
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


def test_nested_calls_are_an_error_and_not_a_deadlock(threads):
    def nested():
        yield list(run_in_threads([iter([1])]))

    with pytest.raises(RuntimeError, match="cannot be nested"):
        list(run_in_threads([nested()]))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="one priority for all threads")
def test_the_niceness_of_the_process_is_never_reduced():
    program = (
        "import os, threading\n"
        "os.nice(19)\n"
        "from pruning.inference import thread_pool\n"
        "def niceness():\n"
        "    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())\n"
        "def task():\n"
        "    yield niceness()\n"
        "print([value for _, value in thread_pool.run_in_threads([task()])])\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=240
    )
    assert finished.stdout == "[19]\n", finished.stderr


@pytest.mark.parametrize(
    "network", ["lenet300", "lenet5", pytest.param("resnet20", marks=pytest.mark.slow)]
)
def test_the_same_counts_with_any_number_of_threads(threads, network):
    """The batches of each recipe come in order, so a tally is always of the first images."""
    images, data = datasets.load("digits", "test"), DATASETS["digits"]
    model = checkpoints.load(network, "digits")
    many = [smallest_weights_removed(model, share) for share in (0.3, 0.9, 0.97)]
    tallies: list[list[Tally]] = [[], [], []]

    def is_done(member: int) -> bool:
        return member == 1 and len(tallies[1]) >= 3

    for item in classify(model, many, images, data, batch_size=40, is_done=is_done):
        if isinstance(item, BatchTally):
            tallies[item.member].append(item.tally)
    for member, parameters in enumerate(many):
        items = classify(model, [parameters], images, data, batch_size=40)
        alone = [item.tally for item in items if isinstance(item, BatchTally)]
        if member == 1:
            alone = alone[:3]
        counts = [tally.class_correct for tally in tallies[member]]
        assert counts == [tally.class_correct for tally in alone]


def test_the_number_of_threads_can_change_meanwhile(threads):
    at_work, most = set(), []
    limits = iter([threads] * 5 + [1] * 1000)

    def walk(number):
        for _ in range(10):
            at_work.add(number)
            most.append(len(at_work))
            time.sleep(0.002)
            at_work.discard(number)
            yield number

    found = run_in_threads((walk(number) for number in range(6)), lambda: next(limits))
    assert sorted(item for _, item in found) == sorted(list(range(6)) * 10)
    assert max(most[:3]) <= threads and set(most[-20:]) == {1}
