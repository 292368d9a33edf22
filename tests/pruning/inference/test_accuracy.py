import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

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


@pytest.mark.parametrize("accuracy", [0.5, 0.9, 0.99])
def test_the_interval_covers_the_true_accuracy_in_95_of_100_samples(accuracy):
    """Independent samples; more misses than these have a probability below 1e-6.

    The coverage of Wilson's interval for one number of images varies around 95%: 93% is low.
    """
    samples, images = 2_000, 1_000
    generator = torch.Generator().manual_seed(0)
    correct = torch.rand(samples, images, generator=generator, dtype=torch.float64) < accuracy
    misses = 0
    for count in correct.sum(1).tolist():
        low, high = Accuracy(count, images, 10_000).interval
        misses += not low <= accuracy <= high
    assert misses <= binom.isf(1e-6, samples, 0.07)
    assert misses >= binom.ppf(1e-6, samples, 0.03)


def test_of_all_images_the_interval_is_the_value():
    complete = Accuracy(9_000, 10_000, 10_000)
    assert complete.interval == (0.9, 0.9)
    assert complete.complete
    assert complete.half_width == 0


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
    assert total.loss == pytest.approx(whole.loss)


def test_the_empty_tally_changes_nothing_on_either_side():
    tally = Tally((3, 4), 1.5, 10)
    assert Tally() + tally == tally == tally + Tally()


def test_tallies_of_other_classes_cannot_be_added():
    with pytest.raises(ValueError, match="shorter"):
        Tally((3, 4), 1.5, 10) + Tally((3,), 1.5, 10)
