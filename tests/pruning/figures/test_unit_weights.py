import numpy as np

from pruning.figures.unit_weights import MAX_KERNELS, alt_of_unit_weights, unit_weights
from tests.pruning.figures.common import titles

KERNELS = np.random.default_rng(0).normal(size=(20, 3, 3))


def test_kernels_are_drawn_side_by_side():
    figure = unit_weights(KERNELS)
    picture = figure.data[0].z
    assert picture.shape == (3, MAX_KERNELS * 4 - 1) and np.isnan(picture[:, 3]).all()
    np.testing.assert_allclose(picture[:, 4:7], KERNELS[1], rtol=1e-6)
    assert figure.data[0].zmin == -figure.data[0].zmax
    assert titles(figure) == ("input channel (first 12 of 20)", "kernel row")


def test_a_row_of_a_matrix_is_a_line():
    figure = unit_weights(KERNELS.ravel())
    assert list(figure.data[0].y) == KERNELS.ravel().astype(np.float32).tolist()
    assert titles(figure) == ("input", "weight")


def test_alt():
    alt = alt_of_unit_weights(np.array([-1.0, 2.0]), "filter 3 of conv1")
    assert alt == "The weights of filter 3 of conv1, from -1 to 2."
