import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pruning.inference.predictions import RELIABILITY_BINS, PredictionChange, Predictions

CLASSES = 4


def predictions_of(logits: np.ndarray, labels: np.ndarray) -> Predictions:
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    probabilities = exponentials / exponentials.sum(1, keepdims=True)
    return Predictions(probabilities.astype(np.float32), labels, len(labels))


def some_predictions(count: int):
    logits = arrays(np.float64, (count, CLASSES), elements=st.floats(-5, 5))
    labels = arrays(np.int64, count, elements=st.integers(0, CLASSES - 1))
    return st.builds(predictions_of, logits, labels)


pairs = st.integers(1, 60).flatmap(
    lambda count: st.tuples(some_predictions(count), some_predictions(count))
)


@given(st.integers(1, 60).flatmap(some_predictions))
def test_counts_agree_with_a_loop(predictions):
    confusion = np.zeros((CLASSES, CLASSES), int)
    for label, row in zip(predictions.labels, predictions.probabilities, strict=True):
        confusion[label, row.argmax()] += 1
    assert np.array_equal(predictions.confusion, confusion)
    assert predictions.accuracy.correct == np.trace(confusion)
    assert predictions.accuracy.complete
    for label in range(CLASSES):
        images = confusion[label].sum()
        accuracy = predictions.class_accuracy[label]
        assert np.isnan(accuracy) if not images else accuracy == confusion[label, label] / images


@given(st.integers(1, 60).flatmap(some_predictions))
def test_calibration_error_agrees_with_a_loop(predictions):
    error, images = 0.0, 0
    for index in range(RELIABILITY_BINS):
        low, high = index / RELIABILITY_BINS, (index + 1) / RELIABILITY_BINS
        confidence = predictions.confidence
        is_in_bin = (confidence > np.linspace(0, 1, RELIABILITY_BINS + 1)[index]) & (
            confidence <= np.linspace(0, 1, RELIABILITY_BINS + 1)[index + 1]
        )
        if is_in_bin.any():
            accuracy = predictions.is_correct[is_in_bin].mean()
            gap = abs(accuracy - confidence[is_in_bin].astype(float).mean())
            error += is_in_bin.sum() * gap
            assert low - 1e-6 <= predictions.reliability.confidence[index] <= high + 1e-6
        images += is_in_bin.sum()
    assert images == len(predictions) == predictions.reliability.counts.sum()
    assert predictions.reliability.expected_error == pytest.approx(error / images, abs=1e-6)


def test_a_certain_network_that_is_always_right_is_calibrated():
    labels = np.array([0, 1, 2, 3])
    predictions = Predictions(np.eye(CLASSES, dtype=np.float32), labels, 4)
    assert predictions.reliability.expected_error == 0
    wrong = Predictions(np.eye(CLASSES, dtype=np.float32), labels[::-1].copy(), 4)
    assert wrong.reliability.expected_error == 1


@given(pairs)
def test_flipped_images_are_sorted_by_what_they_lost(pair):
    before, after = pair
    change = PredictionChange(before, Predictions(after.probabilities, before.labels, after.total))
    flipped = change.flipped
    assert set(flipped) == set(np.flatnonzero(before.predicted != after.predicted))
    lost = change.confidence_lost[flipped]
    assert np.all(np.diff(lost) <= 0)
    for index in flipped[:5]:
        predicted = before.probabilities[index].argmax()
        expected = before.probabilities[index].max() - after.probabilities[index, predicted]
        assert change.confidence_lost[index] == expected
    difference = int(change.gained.sum()) - int(change.lost.sum())
    assert difference == change.after.accuracy.correct - change.before.accuracy.correct


def test_the_first_images_are_an_estimate():
    labels = np.zeros(10, np.int64)
    predictions = Predictions(np.eye(CLASSES, dtype=np.float32)[labels], labels, 10)
    first = predictions.first(4)
    assert len(first) == 4 and not first.is_complete and not first.accuracy.complete
    assert predictions.is_complete
