import pytest
import torch
from sklearn.metrics import accuracy_score

from pruning.data import datasets
from pruning.data.datasets import DATASETS, Images, normalise
from pruning.inference.accuracy import Tally
from pruning.inference.classify import (
    BATCH_SIZE,
    BatchTally,
    ReorderBuffer,
    accuracy_of,
    classify,
    default_batch_size,
)
from pruning.inference.prefix_cache import prefix_cache
from pruning.models import build, checkpoints, prunable
from tests.pruning.inference.common import half_of_the_channels_removed, smallest_weights_removed

DIGITS = DATASETS["digits"]


def batch_tallies(*arguments, **options) -> list[BatchTally]:
    return [item for item in classify(*arguments, **options) if isinstance(item, BatchTally)]


@pytest.mark.parametrize("batch", [1, 7, 100, 360, 1000])
def test_correct_over_total_whatever_the_batch(batch):
    """The mean of batch accuracies with a short last batch would differ."""
    model, images = checkpoints.load("lenet300", "digits"), datasets.load("digits", "test")
    with torch.inference_mode():
        logits = model(normalise(images.pixels, DIGITS))
        predicted = logits.argmax(1)
        loss = torch.nn.functional.cross_entropy(logits, images.labels)
    items = batch_tallies(model, [{}], images, DIGITS, batch_size=batch)
    tally = sum((item.tally for item in items), Tally())
    correct_labels = images.labels[predicted == images.labels]
    assert list(tally.class_correct) == torch.bincount(correct_labels, minlength=10).tolist()
    assert tally.mean_loss == pytest.approx(float(loss), rel=1e-5)
    assert tally.images == len(images)
    accuracy = tally.correct / len(images)
    assert accuracy == accuracy_score(images.labels, predicted)
    assert accuracy_of(model, images, DIGITS) == accuracy


def test_measuring_the_accuracy_leaves_mode_and_batch_norm_unchanged():
    model = build("resnet20", channels=1, size=28).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    images = datasets.load("digits", "test")
    accuracy_of(model, Images(images.pixels[:20], images.labels[:20]), DIGITS)
    assert model.training
    for key, value in model.state_dict().items():
        assert torch.equal(before[key], value)


@pytest.mark.parametrize(
    "network", ["lenet300", "lenet5", pytest.param("resnet20", marks=pytest.mark.slow)]
)
def test_several_members_get_the_tallies_that_each_gets_alone(network):
    """Masked weights, channels and pixels.

    Two members are equal, two differ in a later layer only; some have seen images before.
    """
    model, images = checkpoints.load(network, "digits"), datasets.load("digits", "test")
    layers = list(prunable(model))
    pixels = torch.rand(1, 28, 28, generator=torch.Generator().manual_seed(0)) < 0.5
    many = [
        smallest_weights_removed(model, 0.0),
        smallest_weights_removed(model, 0.9),
        smallest_weights_removed(model, 0.9),
        smallest_weights_removed(model, 0.5, [layers[-1]]),
        smallest_weights_removed(model, 0.5, [layers[1]]),
        half_of_the_channels_removed(model),
        {"input": pixels.float()},
    ]
    seen = [0, 100, 0, 0, 200, 0, 0]
    totals = [Tally()] * len(many)
    order = []
    for item in batch_tallies(model, many, images, DIGITS, skip=seen, batch_size=100):
        totals[item.member] += item.tally
        order.append(item.member)
    assert sorted(order[:5]) == [0, 2, 3, 5, 6]
    assert len(order) == 4 * 7 - 1 - 2
    for member, (parameters, total) in enumerate(zip(many, totals, strict=True)):
        first = seen[member]
        rest = Images(images.pixels[first:], images.labels[first:])
        items = batch_tallies(model, [parameters], rest, DIGITS, batch_size=100)
        alone = sum((item.tally for item in items), Tally())
        assert (alone.class_correct, alone.images) == (total.class_correct, total.images)
        assert total.loss == pytest.approx(alone.loss, rel=1e-5)


def test_the_shared_stages_are_computed_once():
    """Fifty replacements of the last layer: the stages before it run once a batch."""
    model, images = checkpoints.load("lenet5", "digits"), datasets.load("digits", "test")
    calls = []
    model.fc1.register_forward_hook(lambda *_: calls.append("fc1"))
    many = [{"fc3.weight": model.fc3.weight * scale} for scale in torch.linspace(0.1, 1, 50)]
    assert len(batch_tallies(model, many, images, DIGITS, batch_size=180)) == 100
    assert calls == ["fc1"] * 2


def test_one_member_uses_the_prefix_cache_of_earlier_calls():
    model, images = checkpoints.load("lenet5", "digits"), datasets.load("digits", "test")
    prefix_cache().clear()
    calls = []
    model.fc1.register_forward_hook(lambda *_: calls.append("fc1"))
    for scale in (0.5, 0.25, 0.1):
        parameters = {"fc3.weight": model.fc3.weight * scale}
        assert len(batch_tallies(model, [parameters], images, DIGITS, batch_size=180)) == 2
    assert calls == ["fc1"] * 2


@pytest.mark.parametrize("members", [1, 3])
def test_a_member_that_is_done_gets_no_more_batches(members):
    model, images = checkpoints.load("lenet300", "digits"), datasets.load("digits", "test")
    many = [{"fc3.weight": model.fc3.weight * (1 - 0.1 * i)} for i in range(members)]
    counts = [0] * members

    def is_done(member: int) -> bool:
        return counts[member] >= 2

    for item in classify(model, many, images, DIGITS, is_done=is_done, batch_size=40):
        if isinstance(item, BatchTally):
            counts[item.member] += 1
    assert counts == [2] * members


@pytest.mark.parametrize("members", [1, 2])
def test_images_seen_before_are_left_out(members):
    model, images = checkpoints.load("lenet300", "digits"), datasets.load("digits", "test")
    items = batch_tallies(
        model, [{}] * members, images, DIGITS, skip=[120] * members, batch_size=40
    )
    assert sum(item.tally.images for item in items) == members * (len(images) - 120)


def test_no_member_no_batch():
    model, images = checkpoints.load("lenet300", "digits"), datasets.load("digits", "test")
    assert batch_tallies(model, [], images, DIGITS) == []


def test_the_reorder_buffer_yields_each_members_batches_in_order():
    buffer = ReorderBuffer([0, 2])
    tally = [Tally((i,), 0.0, 1) for i in range(5)]
    assert list(buffer.add(1, BatchTally(0, tally[1]))) == []
    assert list(buffer.add(2, BatchTally(1, tally[2]))) == [BatchTally(1, tally[2])]
    assert list(buffer.add(2, BatchTally(0, tally[2]))) == []
    ordered = list(buffer.add(0, BatchTally(0, tally[0])))
    assert ordered == [BatchTally(0, tally[i]) for i in range(3)]


@pytest.mark.parametrize(
    "network, module", [("lenet300", "Linear"), ("lenet5", "Conv2d"), ("resnet20", "BatchNorm2d")]
)
def test_the_batch_size_depends_on_the_modules(network, module):
    expected = BATCH_SIZE[getattr(torch.nn, module)]
    assert default_batch_size(build(network, channels=1, size=28)) == expected
    assert default_batch_size(torch.nn.ReLU()) == BATCH_SIZE[torch.nn.Linear]
