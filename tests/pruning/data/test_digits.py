"""The built-in digits."""

import numpy as np
import torch
from sklearn.datasets import load_digits

from pruning.data.digits import read_digits


def test_digits_are_scikit_learns_enlarged_and_stratified():
    train, test = (read_digits(part) for part in ("train", "test"))
    assert np.bincount(test[1]).tolist() == [36, 36, 35, 37, 36, 37, 36, 36, 35, 36]
    small, labels = load_digits(return_X_y=True)
    small = torch.tensor(small.reshape(-1, 1, 8, 8), dtype=torch.float64)
    big = (
        torch.nn.functional.interpolate(small, size=28, mode="bilinear") * 255 / 16
    )  # PyTorch's own enlargement
    ours = np.concatenate([train[0], test[0]])
    assert sorted(np.concatenate([train[1], test[1]])) == sorted(labels)
    expected = {tuple(image.round().int().flatten().tolist()) for image in big}
    off = [image for image in ours if tuple(image.astype(int).flatten().tolist()) not in expected]
    assert len(off) < 0.2 * len(
        ours
    )  # the rest differ only where PyTorch's floats round a half the other way
    nearest = min(np.abs(off[0].astype(float) - image.numpy()).max() for image in big) if off else 0
    assert nearest <= 0.501
