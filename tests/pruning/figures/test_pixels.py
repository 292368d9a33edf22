"""Pixels as they are shown."""

import numpy as np

from pruning.figures.pixels import displayed


def test_bytes_stay_and_numbers_are_scaled():
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    assert displayed(pixels) is pixels
    numbers = np.array([[[[-1.0, 0.0], [1.0, 3.0]]]], np.float32)
    assert displayed(numbers).tolist() == [[[[0, 64], [128, 255]]]]
    assert displayed(np.zeros((2, 1, 2, 2), np.float32)).max() == 0


def test_other_numbers_of_channels_become_their_mean():
    pixels = np.stack([np.full((2, 2), value, np.float32) for value in (0, 1, 2, 5)])
    pixels[:, 0, 0] = 0
    assert displayed(pixels).tolist() == [[[0, 255], [255, 255]]]
