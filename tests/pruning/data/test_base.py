"""The descriptions of the datasets."""

import numpy as np
import pytest
import torch

from pruning.data.base import DATASETS, Dataset, Images
from pruning.data.datasets import path_of
from pruning.data.digits import read_digits
from pruning.data.npz import read_npz

TOLERANCE = 2e-4  # four decimals, of the training images with or without those held out


def training_pixels(data: Dataset) -> np.ndarray:
    """All pixels before the validation split is held out, (N, C, H, W) in [0, 1]."""
    if data.download_bytes:
        pixels, _ = read_npz(data, path_of(data.name), "train")
    else:
        pixels, _ = read_digits("train")
    return pixels


@pytest.mark.parametrize("name", DATASETS)
def test_descriptions_are_consistent(name):
    data = DATASETS[name]
    assert data.name == name
    assert data.label and data.source
    assert len(set(data.classes)) == len(data.classes)
    assert len(data.mean) == len(data.std) == data.channels
    assert 0 < data.validation_images < data.train_images


@pytest.mark.parametrize("name", DATASETS)
def test_mean_and_deviation_are_those_of_the_training_pixels(name, real):
    real(name)
    data = DATASETS[name]
    pixels = training_pixels(data)
    assert len(pixels) == data.train_images
    for channel in range(data.channels):
        counts = np.bincount(pixels[:, channel].ravel(), minlength=256)
        values = np.arange(256) / 255
        mean = np.average(values, weights=counts)
        std = np.sqrt(np.average((values - mean) ** 2, weights=counts))
        assert data.mean[channel] == pytest.approx(mean, abs=TOLERANCE)
        assert data.std[channel] == pytest.approx(std, abs=TOLERANCE)


def test_the_length_of_images_is_their_number():
    images = Images(torch.zeros(3, 1, 28, 28, dtype=torch.uint8), torch.arange(3))
    assert len(images) == 3
