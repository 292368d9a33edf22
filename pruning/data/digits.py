"""Scikit-learn's handwritten digits, enlarged to the size of MNIST's images."""

import numpy as np


def read_digits(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return one part of the digits: a stratified fifth for testing, the others for training.

    Parameters
    ----------
    part
        ``"train"`` or ``"test"``.

    Returns
    -------
    pixels : np.ndarray
        Images (N, 1, 28, 28) of uint8.
    labels : np.ndarray
        Labels (N,) of int64.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    pixels = _enlarge_digits(images.reshape(-1, 8, 8).astype(np.int64))
    train, test = train_test_split(
        np.arange(len(labels)), test_size=0.2, random_state=0, stratify=labels
    )
    indices = np.sort(test if part == "test" else train)
    return pixels[indices, np.newaxis].astype(np.uint8), labels[indices].astype(np.int64)


def _enlarge_digits(images: np.ndarray) -> np.ndarray:
    """Enlarge images (N, 8, 8) with values 0 to 16 to (N, 28, 28) with values 0 to 255.

    The interpolation is bilinear and in integers, so that the pixels are the same on every
    machine. The centre of output pixel i lies at input position (4 i - 5) / 14, counted in
    fourteenths below; the interpolation weights of each output pixel add up to 14.
    """
    positions = np.clip(4 * np.arange(28) - 5, 0, 7 * 14)
    weights = np.zeros((28, 8), np.int64)
    for output, position in enumerate(positions):
        lower, remainder = divmod(position, 14)
        upper = min(lower + 1, 7)
        weights[output, lower] += 14 - remainder
        weights[output, upper] += remainder
    denominator = 16 * 14 * 14
    # Adding half of the denominator rounds to the nearest integer.
    return (weights @ images @ weights.T * 255 + denominator // 2) // denominator
