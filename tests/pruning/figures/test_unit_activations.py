import numpy as np

from pruning.figures.unit_activations import alt_of_unit_activations, unit_activations
from tests.pruning.figures.common import titles

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 255, (6, 1, 28, 28))


def test_numbers_are_bars_below_the_images():
    figure = unit_activations(IMAGES, np.arange(6.0))
    pictures, bars = figure.data
    assert pictures.z.shape == (28, 180) and list(bars.y) == [0, 1, 2, 3, 4, 5]
    np.testing.assert_array_equal(pictures.z[:, 30:58], IMAGES[1, 0])
    assert titles(figure) == ("calibration images", "activation")


def test_maps_are_enlarged_to_the_size_of_the_images():
    maps = RANDOM.random((6, 5, 5))
    shown = unit_activations(IMAGES, maps).data[1]
    assert shown.z.shape == (28, 180)
    assert shown.z[0, 0] == np.float32(maps[0, 0, 0])
    assert shown.z[27, 27] == np.float32(maps[0, 4, 4])


def test_alt():
    alt = alt_of_unit_activations(np.array([[1.0, 3.0], [0.5, 0.5]]), "neuron 3 of fc1")
    assert alt == "Mean activation of neuron 3 of fc1 on 2 calibration images: 2, 0.5."
