import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from pruning.inference.accuracy import Tally
from pruning.inference.paired_test import PairedTest, paired_test


@given(st.integers(0, 3_000), st.integers(0, 3_000))
def test_the_p_value_is_that_of_the_exact_binomial_test(lost, gained):
    p_value = PairedTest(lost, gained).p_value
    if lost + gained:
        assert p_value == pytest.approx(binomtest(lost, lost + gained).pvalue, rel=1e-6)
    else:
        assert p_value == 1
    assert p_value == PairedTest(gained, lost).p_value


@pytest.mark.parametrize(
    "lost, gained, is_significant", [(1, 0, False), (5, 0, False), (6, 0, True), (40, 30, False)]
)
def test_few_images_are_no_evidence(lost, gained, is_significant):
    assert PairedTest(lost, gained).is_significant is is_significant


def tally_of(is_correct: list[bool], batches: int) -> Tally:
    labels = torch.zeros(len(is_correct), dtype=torch.int64)
    logits = torch.tensor([[float(correct), 0.5] for correct in is_correct])
    total = Tally()
    for part in torch.tensor_split(torch.arange(len(is_correct)), batches):
        total += Tally.of(logits[part], labels[part])
    return total


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=4, max_size=60))
def test_images_are_paired_in_batches_of_any_size(pairs):
    before = tally_of([first for first, _ in pairs], batches=3)
    after = tally_of([second for _, second in pairs], batches=4)
    expected = PairedTest(pairs.count((True, False)), pairs.count((False, True)))
    assert paired_test(before, after) == expected
    assert paired_test(before, after).difference == after.correct - before.correct


def test_counts_alone_cannot_be_paired():
    known, counted = tally_of([True, False], 1), Tally((1, 0), 0.5, 2)
    assert paired_test(known, counted) is None
    assert paired_test(counted, known) is None
    assert (known + counted).hits is None


def test_other_images_cannot_be_paired():
    with pytest.raises(ValueError, match="2 images cannot be paired with 3"):
        paired_test(tally_of([True] * 2, 1), tally_of([True] * 3, 1))
