"""Arrays in the layout of a dataset's file."""

import numpy as np

from pruning.data.datasets import DATASETS


def fake_arrays(name: str = "mnist", seed: int = 0) -> dict[str, np.ndarray]:
    """Arrays with the shapes of a dataset and random pixels.

    Only the first row of an image is random: this makes different images in little time.
    """
    data, random = DATASETS[name], np.random.default_rng(seed)
    shape: tuple[int, ...] = (data.size, data.size)
    if data.channels > 1:
        shape = (*shape, data.channels)
    arrays = {}
    for part, count in (("train", data.train_images), ("test", data.test_images)):
        pixels = np.zeros((count, *shape), np.uint8)
        pixels[:, 0] = random.integers(0, 256, (count, *shape[1:]), np.uint8)
        arrays[f"x_{part}"] = pixels
        arrays[f"y_{part}"] = random.integers(0, 10, count).astype(np.uint8)
    return arrays
