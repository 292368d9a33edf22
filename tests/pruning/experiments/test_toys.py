import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pruning.experiments.toys import (
    SquaredError,
    select_toy,
    squared_error_example,
    toy_matrix,
)

matrices = arrays(np.float32, (3, 4), elements=st.floats(-4, 4, width=32))


@given(matrices, st.floats(0.01, 3))
def test_a_threshold_removes_what_is_below(weights, threshold):
    selected = select_toy(weights, "threshold", threshold)
    assert np.array_equal(selected.removed, np.abs(weights).astype(np.float64) < threshold)


@given(matrices, st.floats(0, 1))
def test_a_sparsity_removes_a_count(weights, share):
    removed = select_toy(weights, "sparsity", share).removed
    assert abs(removed.sum() - share * weights.size) <= 1
    if removed.any() and not removed.all():
        assert np.abs(weights[removed]).max() <= np.abs(weights[~removed]).min()


def test_the_toy_matrix_has_one_large_weight():
    weights = np.sort(np.abs(toy_matrix()).ravel())
    assert weights.size == 24 and weights[-1] > 1.5 * weights[-2]


@given(arrays(np.float64, 4, elements=st.floats(-2, 2)))
def test_gradient_and_curvature_agree_with_differences(weights):
    example = squared_error_example()
    error = SquaredError(example.inputs, example.targets, weights)

    def loss(index: int, step: float) -> float:
        moved = weights.copy()
        moved[index] += step
        return SquaredError(example.inputs, example.targets, moved).loss

    for index in range(4):
        first = (loss(index, 1e-4) - loss(index, -1e-4)) / 2e-4
        assert error.gradient[index] == pytest.approx(first, abs=1e-6)
        second = (loss(index, 1e-2) - 2 * error.loss + loss(index, -1e-2)) / 1e-4
        assert error.curvature[index] == pytest.approx(second, abs=1e-6)
        exact = loss(index, -weights[index]) - error.loss
        assert error.exact_change[index] == pytest.approx(exact, abs=1e-9)


def test_training_goes_to_the_least_squares_solution():
    trained = squared_error_example().trained(2_000)
    expected, *_ = np.linalg.lstsq(trained.inputs, trained.targets, rcond=None)
    assert np.allclose(trained.weights, expected, atol=1e-3)


def test_the_example_by_hand():
    error = SquaredError(np.array([[2.0, 1.0]]), np.array([2.0]), np.array([0.5, 0.1]))
    assert error.loss == pytest.approx(0.5 * 0.9**2)
    assert error.gradient.tolist() == pytest.approx([-1.8, -0.9])
