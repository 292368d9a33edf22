import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score

from pruning.data import datasets
from pruning.data.datasets import DATASETS, Images, normalise
from pruning.inference import classify as evaluation
from pruning.inference.classify import Accuracy, Tally, tallies, tallies_of_many
from pruning.models import build, checkpoints


@settings(max_examples=50)
@given(images=st.integers(1, 9_999), share=st.floats(0, 1))
def test_the_interval_is_wilsons(images, share):
    correct = round(share * images)
    p, z = correct / images, 1.959963984540054
    middle = (p + z * z / (2 * images)) / (1 + z * z / images)
    half = z / (1 + z * z / images) * math.sqrt(p * (1 - p) / images + z * z / (4 * images**2))
    low, high = Accuracy(correct, images, 10_000).interval
    assert low == pytest.approx(middle - half, abs=1e-12) and high == pytest.approx(
        middle + half, abs=1e-12
    )


def test_all_images_leave_no_interval():
    assert Accuracy(9_000, 10_000, 10_000).interval == (0.9, 0.9)


@pytest.mark.parametrize("batch", [1, 7, 100, 360, 1000])
def test_correct_over_total_whatever_the_batch(batch):
    """The mean of batch accuracies with a short last batch would differ."""
    model, data, images = (
        checkpoints.load("lenet300", "digits"),
        DATASETS["digits"],
        datasets.load("digits", "test"),
    )
    with torch.inference_mode():
        predicted = model(normalise(images.pixels, data)).argmax(1)
        loss = torch.nn.functional.cross_entropy(
            model(normalise(images.pixels, data)), images.labels
        )
    tally = sum(tallies(model, {}, images, data, batch=batch), Tally())
    assert (
        list(tally.class_correct)
        == torch.bincount(images.labels[predicted == images.labels], minlength=10).tolist()
    )
    assert tally.mean_loss == pytest.approx(float(loss), rel=1e-5) and tally.images == len(images)
    correct = tally.correct
    assert correct / len(images) == accuracy_score(images.labels, predicted)
    assert evaluation.accuracy(model, images, data) == correct / len(images)


def test_scoring_leaves_batch_norm_alone():
    model = build("resnet20", channels=1, size=28).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    images = datasets.load("digits", "test")
    evaluation.accuracy(model, Images(images.pixels[:20], images.labels[:20]), DATASETS["digits"])
    assert model.training and all(
        torch.equal(before[key], value) for key, value in model.state_dict().items()
    )


@pytest.mark.parametrize("network", ["lenet300", "lenet5", "resnet20"])
def test_many_at_once_see_what_each_sees_alone(network):
    """Weights, whole filters and pixels; some alike, some unlike in the first or in a later layer only; some further on."""
    from pruning.engine import prune as experiment
    from pruning.recipe.recipe import Recipe

    data, images = DATASETS["digits"], datasets.load("digits", "test")
    last = experiment.groups_of(Recipe(network, "digits"))
    recipes = [
        Recipe(network, "digits", value=0.0),
        Recipe(network, "digits", value=0.9),
        Recipe(network, "digits", value=0.9),
        Recipe(network, "digits", value=0.5, layers=(list(last)[-1],)),
        Recipe(network, "digits", value=0.5, layers=(list(last)[1],)),
        Recipe(network, "digits", method="filter", scope="layer"),
        Recipe(network, "digits", method="feature", criterion="random"),
    ]
    states = [experiment.pruned(recipe) for recipe in recipes]
    many, seen = [state.masks.apply(state.model) for state in states], [0, 100, 0, 0, 200, 0, 0]
    found = [Tally()] * len(many)
    order = []
    for i, tally in filter(
        None, tallies_of_many(states[0].model, many, images, data, seen=seen, batch=100)
    ):
        found[i] += tally
        order.append(i)
    assert sorted(order[:5]) == [0, 2, 3, 5, 6] and len(order) == 4 * 7 - 1 - 2
    for i, (parameters, tally) in enumerate(zip(many, found)):
        rest = Images(images.pixels[seen[i] :], images.labels[seen[i] :])
        alone = sum(tallies(states[0].model, parameters, rest, data, batch=100), Tally())
        assert (alone.class_correct, alone.images) == (tally.class_correct, tally.images)
        assert tally.loss == pytest.approx(alone.loss, rel=1e-5)


def test_what_is_shared_is_computed_once():
    """Fifty replacements of the last layer: the stages before it run once a batch."""
    model, data, images = (
        checkpoints.load("lenet5", "digits"),
        DATASETS["digits"],
        datasets.load("digits", "test"),
    )
    ran = []
    model.fc1.register_forward_hook(lambda *_: ran.append("fc1"))
    many = [{"fc3.weight": model.fc3.weight * scale} for scale in torch.linspace(0.1, 1, 50)]
    assert (
        len(list(filter(None, tallies_of_many(model, many, images, data, batch=180)))) == 100
        and ran == ["fc1"] * 2
    )
