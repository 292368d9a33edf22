import os
import signal
import time

import pytest
import torch
from torch import nn

from pruning.data.datasets import DATASETS
from pruning.inference import classification_process
from pruning.inference.classification_messages import MAX_MODELS, SplitImages
from pruning.inference.classification_process import (
    classify_split,
    start_process,
    stop_process,
)
from pruning.inference.classify import BatchTally, classify
from pruning.models import checkpoints

IMAGES = SplitImages("digits", "test", 300)


@pytest.fixture(scope="module")
def process():
    """The process, started."""
    process = start_process()
    wait_until_ready(process)
    yield process
    stop_process()


def wait_until_ready(process):
    deadline = time.monotonic() + 60
    while not process.is_ready:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def scaled(factor: float) -> dict[str, torch.Tensor]:
    weight = checkpoints.shared_model("lenet5", "digits").get_parameter("fc1.weight")
    return {"fc1.weight": factor * weight.detach()}


def tallies(events) -> list[BatchTally]:
    return [event for event in events if isinstance(event, BatchTally)]


def never(member: int) -> bool:
    return False


def in_this_process(model, replacements, skip) -> list[BatchTally]:
    data = DATASETS[IMAGES.dataset]
    return tallies(classify(model, replacements, IMAGES.load(), data, skip=skip, batch_size=100))


def totals(found: list[BatchTally]) -> dict[int, object]:
    sums = {}
    for item in found:
        known = sums.get(item.member)
        sums[item.member] = item.tally if known is None else known + item.tally
    return sums


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize("factors", [[1.0], [0.5], [1.0, 0.5, 0.0]])
def test_the_process_computes_what_this_one_does(factors):
    model = checkpoints.shared_model("lenet5", "digits")
    replacements = [scaled(factor) for factor in factors]
    skip = [0] * len(factors)
    found = totals(tallies(classify_split(model, replacements, IMAGES, skip=skip, is_done=never)))
    expected = totals(in_this_process(model, replacements, skip))
    assert found.keys() == expected.keys() == set(range(len(factors)))
    for member, tally in found.items():
        assert tally.class_correct == expected[member].class_correct
        assert tally.images == 300
        assert tally.loss == pytest.approx(expected[member].loss, rel=1e-5)


def test_a_classification_can_be_left_while_others_go_on(process):
    model = checkpoints.shared_model("lenet5", "digits")
    left = classify_split(model, [scaled(0.9)], IMAGES, skip=[0], is_done=never)
    next(left)
    other = tallies(classify_split(model, [scaled(0.8)], IMAGES, skip=[0], is_done=never))
    left.close()
    assert totals(other)[0].images == 300
    assert process.is_ready


def test_a_classification_can_be_left_where_its_thread_has_the_lock(process):
    model = checkpoints.shared_model("lenet5", "digits")
    left = process.classify(model, [scaled(0.9)], IMAGES, [0], never)
    next(left)
    with process._lock:  # as when the garbage collector finds it during a message
        left.close()
    ended = list(process._ended)
    events = process.classify(model, [scaled(0.8)], IMAGES, [0], never)
    assert totals(tallies(events))[0].images == 300
    assert ended and not set(ended) & set(process._ended)


def test_a_member_that_is_done_gets_no_more_tallies(process):
    model = checkpoints.shared_model("lenet5", "digits")
    events = process.classify(model, [scaled(1.0)] * 2, IMAGES, [0, 0], lambda member: member == 0)
    assert {item.member for item in tallies(events)} == {1}


def test_more_networks_than_the_process_keeps(process):
    data = DATASETS["digits"]
    models = []
    for _ in range(MAX_MODELS + 2):
        flat = nn.Linear(data.channels * data.size**2, len(data.classes))
        models.append(nn.Sequential(nn.Flatten(), flat).eval())
    for model in [*models, *models, models[-1]]:
        events = process.classify(model, [{}], IMAGES, [0], never)
        found = totals(tallies(events))[0]
        assert found.class_correct == totals(in_this_process(model, [{}], [0]))[0].class_correct


def test_an_error_in_the_process_is_raised_here_and_does_not_end_it(process):
    model = checkpoints.shared_model("lenet5", "digits")
    wrong = {"fc1.weight": torch.zeros(2, 3)}
    with pytest.raises(RuntimeError):
        tallies(process.classify(model, [wrong], IMAGES, [0], never))
    assert totals(tallies(process.classify(model, [{}], IMAGES, [0], never)))[0].images == 300


@pytest.mark.slow
def test_a_killed_process_is_replaced_and_its_work_is_done_here(process, caplog, monkeypatch):
    model = checkpoints.shared_model("lenet5", "digits")
    monkeypatch.setattr(classification_process, "MIN_AGE_S", 0.0)
    os.kill(process.id, signal.SIGKILL)
    while not process.has_ended:
        time.sleep(0.01)
    with caplog.at_level("WARNING"):
        events = classify_split(model, [scaled(1.0)], IMAGES, skip=[0], is_done=never)
        assert totals(tallies(events))[0].images == 300
    assert "another one is started" in caplog.text
    other = classification_process._process
    assert other is not process
    wait_until_ready(other)
    again = tallies(classify_split(model, [scaled(1.0)], IMAGES, skip=[0], is_done=never))
    assert totals(again)[0].images == 300


def test_a_process_that_ends_in_the_middle_loses_nothing(monkeypatch):
    class Ending:  # of the interface of ClassificationProcess
        has_ended, is_ready, age = False, True, 60.0

        def classify(self, model, replacements, images, skip, is_done):
            first = next(iter(in_this_process(model, replacements, skip)))
            yield first
            raise classification_process._ProcessLostError

        def stop(self):
            pass

    started = []
    monkeypatch.setattr(classification_process, "_process", Ending())
    monkeypatch.setattr(classification_process, "start_process", lambda: started.append(True))
    monkeypatch.setattr("pruning.inference.classify.default_batch_size", lambda model: 100)
    model = checkpoints.shared_model("lenet5", "digits")
    events = classify_split(model, [scaled(0.7)], IMAGES, skip=[0], is_done=never)
    expected = totals(in_this_process(model, [scaled(0.7)], [0]))[0]
    assert totals(tallies(events))[0].class_correct == expected.class_correct
    assert started == [True]
