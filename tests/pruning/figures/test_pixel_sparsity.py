import numpy as np
import pytest

from pruning.figures.pixel_sparsity import alt_of_pixel_sparsity, pixel_sparsity
from tests.pruning.figures.common import titles


def test_grey_images():
    kept = np.ones((300, 784), bool)
    kept[:150, 28 * 3 + 5] = False
    figure = pixel_sparsity(kept, 1, 28)
    z = figure.data[0].z
    assert z.shape == (28, 28) and z[3, 5] == 0.5 and z.sum() == 0.5
    assert all(titles(figure))


def test_colours_are_averaged():
    kept = np.ones((300, 3 * 32 * 32), bool)
    kept[:, 0] = False
    assert pixel_sparsity(kept, 3, 32).data[0].z[0, 0] == pytest.approx(1 / 3)


def test_alt():
    assert alt_of_pixel_sparsity("fc1") == "Share of removed weights of fc1 at each input pixel"
