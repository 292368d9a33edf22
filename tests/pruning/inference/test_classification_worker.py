import pickle
import threading
import time
from multiprocessing import connection

import pytest
import torch

from pruning.inference.classification_messages import READY, Advance, Begin, End, SplitImages
from pruning.inference.classification_worker import (
    BUSY_BEGINS,
    BUSY_S,
    Classifications,
    serve,
)
from pruning.models import checkpoints

IMAGES = SplitImages("digits", "test", 50)


def begin(number: int, model_number: int = 1, **changes) -> Begin:
    model = checkpoints.shared_model("lenet300", "digits")
    settings = {"model": model, "replacements": [{}], "images": IMAGES, "skip": [0], **changes}
    return Begin(number, model_number, **settings)


def finish(classifications: Classifications, number: int) -> int:
    """Return the number of images."""
    images = 0
    while True:
        tallies = classifications.advance(Advance(number, frozenset()))
        images += sum(item.tally.images for item in tallies.items)
        if tallies.is_finished:
            classifications.end(End(number))
            return images


def test_a_network_is_kept_for_later_classifications():
    classifications = Classifications()
    classifications.begin(begin(0))
    assert finish(classifications, 0) == 50
    classifications.begin(begin(1, model=None))
    assert finish(classifications, 1) == 50
    with pytest.raises(KeyError):
        classifications.begin(begin(2, model_number=2, model=None))


def test_the_end_of_a_classification_can_come_at_any_time():
    classifications = Classifications()
    classifications.end(End(7))
    classifications.begin(begin(8))
    classifications.end(End(8))
    with pytest.raises(KeyError):
        classifications.advance(Advance(8, frozenset()))


def test_messages_are_answered_until_the_parent_ends():
    parent, child = connection.Pipe()
    thread = threading.Thread(target=serve, args=[child])
    thread.start()
    assert parent.recv_bytes() == READY
    for message in (begin(0, images=SplitImages("no data", "test", 1)), Advance(0, frozenset())):
        parent.send_bytes(pickle.dumps(message))
    assert isinstance(pickle.loads(parent.recv_bytes()), Exception)
    for message in (End(0), begin(1), Advance(1, frozenset())):
        parent.send_bytes(pickle.dumps(message))
    [item] = pickle.loads(parent.recv_bytes()).items
    assert item.tally.images == 50
    parent.close()
    thread.join(10)
    assert not thread.is_alive()


def test_one_thread_while_many_classifications_begin(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    classifications = Classifications()
    for number in range(BUSY_BEGINS):
        assert classifications.max_threads() == 4
        classifications.begin(begin(number))
    assert classifications.max_threads() == 1
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + BUSY_S)
    assert classifications.max_threads() == 4
