import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, hypergeom

from pruning.inference.accuracy import Accuracy, Tally


@settings(max_examples=300)
@given(images=st.integers(1, 9_999), share=st.floats(0, 1))
def test_the_interval_is_wilsons(images, share):
    correct = round(share * images)
    expected = binomtest(correct, images).proportion_ci(0.95, method="wilson")
    low, high = Accuracy(correct, images, 10_000).interval
    assert low == pytest.approx(expected.low, abs=1e-12)
    assert high == pytest.approx(expected.high, abs=1e-12)


@pytest.mark.parametrize("images", [1, 2, 10, 250, 9_999])
def test_the_interval_is_wilsons_for_none_one_and_all_correct(images):
    for correct in {0, 1, images - 1, images}:
        expected = binomtest(correct, images).proportion_ci(0.95, method="wilson")
        assert Accuracy(correct, images, 10_000).interval == pytest.approx(
            (expected.low, expected.high), abs=1e-12
        )


def counts_that_cover(accuracy: float, images: int) -> np.ndarray:
    """Numbers of correct images whose interval holds an accuracy."""
    covering = []
    for correct in range(images + 1):
        low, high = Accuracy(correct, images, 10_000).interval
        if low <= accuracy <= high:
            covering.append(correct)
    return np.array(covering)


@pytest.mark.parametrize("accuracy", [0.1, 0.5, 0.8, 0.9, 0.98])
@pytest.mark.parametrize("images", [250, 500, 1000, 4000])
def test_the_coverage_of_independent_samples_is_from_93_to_97_percent(accuracy, images):
    """That of Wilson's interval for one accuracy and one number of images varies around 95%."""
    coverage = binom.pmf(counts_that_cover(accuracy, images), images, accuracy).sum()
    assert 0.93 <= coverage <= 0.97


@pytest.mark.parametrize("correct", [1_000, 5_000, 9_000, 9_800])
@pytest.mark.parametrize("images", [250, 1000, 4000])
def test_the_coverage_of_samples_of_the_test_set_is_at_least_93_percent(correct, images):
    """Drawn without replacement, they vary less than independent samples."""
    covering = counts_that_cover(correct / 10_000, images)
    assert hypergeom.pmf(covering, 10_000, correct, images).sum() >= 0.93


def test_of_all_images_the_interval_is_the_value():
    complete = Accuracy(9_000, 10_000, 10_000)
    assert complete.interval == (0.9, 0.9)
    assert complete.complete
    assert complete.half_width == 0
    low, high = complete.sample_interval  # as a sample of all such images
    assert low < complete.value < high


def test_the_half_width_shrinks_with_more_images():
    widths = [Accuracy(9 * n, 10 * n, 10_000).half_width for n in (1, 10, 100, 999)]
    assert widths == sorted(widths, reverse=True)


def test_a_tally_counts_each_class_and_sums_the_loss():
    logits = torch.tensor([[2.0, 0, 0], [0, 2, 0], [0, 2, 0], [0, 0, 2]])
    labels = torch.tensor([0, 1, 2, 2])
    tally = Tally.of(logits, labels)
    assert tally.class_correct == (1, 1, 1)
    assert (tally.correct, tally.images) == (3, 4)
    assert tally.mean_loss == pytest.approx(
        float(torch.nn.functional.cross_entropy(logits, labels))
    )
    assert tally.accuracy(10) == Accuracy(3, 4, 10)


def test_the_tally_of_two_batches_is_their_sum():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(30, 5, generator=generator)
    labels = torch.randint(5, (30,), generator=generator)
    whole = Tally.of(logits, labels)
    total = Tally.of(logits[:12], labels[:12]) + Tally.of(logits[12:], labels[12:])
    assert total.class_correct == whole.class_correct
    assert total.images == whole.images
    assert total.hits == whole.hits and whole.hits.bit_count() == whole.correct
    assert total.loss == pytest.approx(whole.loss)


def test_the_empty_tally_changes_nothing_on_either_side():
    tally = Tally((3, 4), 1.5, 10)
    assert Tally() + tally == tally == tally + Tally()


def test_tallies_of_other_classes_cannot_be_added():
    with pytest.raises(ValueError, match="shorter"):
        Tally((3, 4), 1.5, 10) + Tally((3,), 1.5, 10)
