import math

import pytest
import torch
from hypothesis import given, settings, strategies as st
from sklearn.metrics import accuracy_score

from pruning import checkpoints, datasets, evaluation
from pruning.datasets import DATASETS, Images, normalise
from pruning.evaluation import Accuracy, count_correct
from pruning.networks import build


@settings(max_examples=50)
@given(images=st.integers(1, 9_999), share=st.floats(0, 1))
def test_the_interval_is_wilsons(images, share):
    correct = round(share * images)
    p, z = correct / images, 1.959963984540054
    middle = (p + z * z / (2 * images)) / (1 + z * z / images)
    half = z / (1 + z * z / images) * math.sqrt(p * (1 - p) / images + z * z / (4 * images**2))
    low, high = Accuracy(correct, images, 10_000).interval
    assert low == pytest.approx(middle - half, abs=1e-12) and high == pytest.approx(middle + half, abs=1e-12)


def test_all_images_leave_no_interval():
    assert Accuracy(9_000, 10_000, 10_000).interval == (0.9, 0.9)


@pytest.mark.parametrize("batch", [1, 7, 100, 360, 1000])
def test_correct_over_total_whatever_the_batch(batch):
    """The mean of batch accuracies with a short last batch would differ."""
    model, data, images = checkpoints.load("lenet300", "digits"), DATASETS["digits"], datasets.load("digits", "test")
    with torch.inference_mode():
        predicted = model(normalise(images.pixels, data)).argmax(1)
    classes = sum(count_correct(model, {}, images, data, batch=batch))
    assert classes.tolist() == torch.bincount(images.labels[predicted == images.labels], minlength=10).tolist()
    correct = int(classes.sum())
    assert correct / len(images) == accuracy_score(images.labels, predicted)
    assert evaluation.accuracy(model, images, data) == correct / len(images)


def test_scoring_leaves_batch_norm_alone():
    model = build("resnet20", channels=1, size=28).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    images = datasets.load("digits", "test")
    evaluation.accuracy(model, Images(images.pixels[:20], images.labels[:20]), DATASETS["digits"])
    assert model.training and all(torch.equal(before[key], value) for key, value in model.state_dict().items())
