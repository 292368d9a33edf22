"""Greedy removal against a new inverse for each step, and against the paper's choice over rows."""

import numpy as np
import pytest
import torch

from pruning.methods import greedy_removal
from pruning.methods.greedy_removal import removal_errors
from pruning.runtime.errors import Cancelled


def greedy_by_hand(weight: np.ndarray, h: np.ndarray) -> tuple[list[int], list[float]]:
    """Order of the removals of one row, and the error that each adds."""
    weight, remaining = weight.copy(), list(range(len(h)))
    order, errors = [], []
    while remaining:
        inverse = np.linalg.inv(h[np.ix_(remaining, remaining)])
        saliencies = weight[remaining] ** 2 / np.diag(inverse) / 2
        place = int(saliencies.argmin())
        order.append(remaining[place])
        errors.append(float(saliencies[place]))
        weight[remaining] -= inverse[:, place] * weight[remaining[place]] / inverse[place, place]
        del remaining[place]
    return order, errors


def example(rows: int, n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights, and H of correlated inputs."""
    generator = torch.Generator().manual_seed(seed)
    mixture = torch.randn(n, n, generator=generator, dtype=torch.float64)
    inputs = torch.randn(3 * n, n, generator=generator, dtype=torch.float64) @ mixture
    weight = torch.randn(rows, n, generator=generator, dtype=torch.float64)
    return weight, inputs.T @ inputs / len(inputs) + 0.01 * torch.eye(n, dtype=torch.float64)


@pytest.mark.parametrize("n", [1, 2, greedy_removal.BLOCK, greedy_removal.BLOCK + 9])
def test_order_and_errors_are_those_of_a_new_inverse_for_each_step(n):
    weight, h = example(5, n)
    for row, found in zip(weight.numpy(), removal_errors(weight, h).numpy(), strict=True):
        order, errors = greedy_by_hand(row, h.numpy())
        assert found.argsort().tolist() == order
        np.testing.assert_allclose(found[order], np.maximum.accumulate(errors), rtol=1e-5)


def test_errors_of_a_row_increase_strictly_where_a_removal_adds_less_than_an_earlier_one():
    # Without the first of two weights of opposite sign and equal inputs, the other is worthless.
    h = torch.tensor([[1.0, 0.99], [0.99, 1.0]], dtype=torch.float64)
    weight = torch.tensor([[1.0, -1.01]], dtype=torch.float64)
    order, errors = greedy_by_hand(weight[0].numpy(), h.numpy())
    assert errors[1] < errors[0]
    [found] = removal_errors(weight, h).numpy()
    first, second = found[order]
    assert first == pytest.approx(errors[0], rel=1e-6)
    assert second == np.nextafter(first, np.float32(np.inf))


def test_the_lowest_errors_are_removed_row_by_row_as_a_queue_of_next_removals_does():
    weight, h = example(4, 10, seed=3)
    traces = [greedy_by_hand(row, h.numpy()) for row in weight.numpy()]
    taken = [0] * len(traces)
    removed = []
    for _ in range(weight.numel()):
        open_rows = [row for row, count in enumerate(taken) if count < weight.shape[1]]
        row = min(open_rows, key=lambda row: traces[row][1][taken[row]])
        removed.append(row * weight.shape[1] + traces[row][0][taken[row]])
        taken[row] += 1
    drops = [float(np.diff(errors).min()) for _, errors in traces]
    assert min(drops) < 0, "the case that needs the cumulative maximum"
    assert removal_errors(weight, h).flatten().argsort().tolist() == removed


def test_uncorrelated_inputs_have_the_errors_of_single_removals():
    weight, _ = example(3, 7)
    variances = torch.arange(1.0, 8.0, dtype=torch.float64)
    expected = weight.square() * variances / 2
    found = removal_errors(weight, torch.diag(variances))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_zeros_are_removed_first_and_the_others_as_without_their_inputs():
    weight, h = example(2, 9)
    weight[:, [1, 4, 5]] = 0
    others = [0, 2, 3, 6, 7, 8]
    found = removal_errors(weight, h)
    alone = removal_errors(weight[:, others], h[others][:, others])
    np.testing.assert_allclose(found[:, others], alone, rtol=1e-5)
    assert (found[:, [1, 4, 5]].amax(1) < alone.amin(1)).all()


def test_more_rows_than_a_task_has_give_the_errors_of_each_row_alone(monkeypatch):
    weight, h = example(7, 6)
    expected = torch.cat([removal_errors(row[None], h) for row in weight])
    monkeypatch.setattr(greedy_removal, "ROWS_PER_TASK", 2)
    np.testing.assert_allclose(removal_errors(weight, h), expected, rtol=1e-6)


def test_the_weights_are_not_modified_and_the_progress_ends_at_one():
    weight, h = example(greedy_removal.ROWS_PER_TASK, greedy_removal.BLOCK + 1)
    before, h_before = weight.clone(), h.clone()
    shares: list[float] = []
    removal_errors(weight, h, shares.append)
    assert torch.equal(weight, before) and torch.equal(h, h_before)
    assert shares == sorted(shares) and shares[-1] == 1 and len(shares) == 2


def test_it_ends_when_the_report_raises():
    def cancel(share: float) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        removal_errors(*example(3, 4), cancel)
