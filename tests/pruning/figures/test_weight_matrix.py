import numpy as np

from pruning.figures.weight_matrix import alt_of_weight_matrix, weight_matrix


def test_removed_cells_are_a_trace_of_their_own():
    weights = np.array([[1.0, -0.5], [0.25, 2.0]], np.float32)
    removed = np.array([[False, True], [True, False]])
    kept, gone = weight_matrix(weights, removed).data
    assert np.array_equal(np.isnan(kept.z), removed)
    assert np.array_equal(np.isnan(gone.z), ~removed)
    assert kept.zmin == -kept.zmax
    text = alt_of_weight_matrix(removed)
    assert text == "Matrix of 4 weights, 2 removed; by output: 1, 1."
