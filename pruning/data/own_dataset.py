"""Datasets that a user brings: tensors, arrays, or anything that yields images and labels."""

import hashlib
import io
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from pruning.data.base import DATASETS, Dataset, OwnImages
from pruning.data.npz import read_all_arrays
from pruning.runtime.errors import DatasetError

PREFIX = "own-"
TEST_SHARE = 0.2
"""Share of the images that are held out for testing, where no test images are given."""
VALIDATION_SHARE = 0.1
"""Share of the training images that are held out for validation."""
MIN_IMAGES = 10
MAX_CLASSES = 10_000
LOADER_BATCH = 256
SHARED_IMAGES, SHARED_FEATURES, SHARED_CLASSES = 60_000, 4_096, 200
"""Limits on a server with many visitors."""
MIN_STD, LARGEST = 1e-6, 1e6
"""Smallest standard deviation, and largest number, with which float32 can normalise."""
MAX_BYTES = 4_000_000_000
"""Limit on the arrays of a file."""

Arrays = tuple[np.ndarray, np.ndarray]


def register_dataset(
    data: Any,
    *,
    mean: Iterable[float] = (),
    std: Iterable[float] = (),
    classes: Iterable[str] = (),
    label: str = "Own data",
    is_listed: bool = False,
) -> Dataset:
    """Register images of a user as a dataset.

    Parameters
    ----------
    data : tuple, Dataset, DataLoader or mapping
        Images and labels: two tensors or arrays, (N, C, H, W) or (N, features), and (N,), or what
        yields such pairs. A mapping has them for ``"train"`` and ``"test"``; otherwise a fifth of
        the images, selected by a hash of their pixels, is held out for testing.
    mean, std : iterable of float
        Mean and standard deviation of each channel, which the images are normalised by, in units
        in which uint8 pixels are from 0 to 1. By default images are used as they are.
    classes : iterable of str
        Names of the classes; by default their numbers.
    label : str
        Name for people.
    is_listed : bool
        Whether the application offers it to everybody.

    Returns
    -------
    Dataset
        Its name, a key of ``DATASETS``, is a hash of the images and of these settings.

    Raises
    ------
    DatasetError
        If the data are not images and labels of this kind.
    """
    train, test = _as_bytes(_train_and_test(data))
    if train[0].dtype != test[0].dtype:
        raise DatasetError("training images are bytes and test images are not, or the other way")
    if train[0].shape[1:] != test[0].shape[1:]:
        raise DatasetError(
            f"training images of shape {train[0].shape[1:]} and test images of shape "
            f"{test[0].shape[1:]} differ: give images of one shape"
        )
    _, channels, height, width = train[0].shape
    if height != width:
        raise DatasetError(
            f"images of {height} x {width} pixels are not square: pad or crop them to a square"
        )
    count = int(max(train[1].max(), test[1].max())) + 1
    names = tuple(classes) or tuple(str(number) for number in range(count))
    if len(names) < count:
        raise DatasetError(f"there are {len(names)} names of classes, but labels up to {count - 1}")
    means, deviations = tuple(mean) or (0.0,) * channels, tuple(std) or (1.0,) * channels
    if not len(means) == len(deviations) == channels:
        raise DatasetError(f"mean and std need {channels} values, one for each channel")
    if not all(MIN_STD <= deviation <= LARGEST for deviation in deviations):
        raise DatasetError(f"std must be from {MIN_STD:g} to {LARGEST:g}")
    if not all(abs(value) <= LARGEST for value in means):
        raise DatasetError(f"mean must be at most {LARGEST:g}")
    settings = repr((names, means, deviations, label)).encode()
    name = PREFIX + _digest(train, test, settings)
    dataset = Dataset(
        name=name,
        label=label,
        source="images of the user",
        channels=channels,
        size=height,
        classes=names,
        mean=means,
        std=deviations,
        train_images=len(train[1]),
        validation_images=max(1, round(VALIDATION_SHARE * len(train[1]))),
        test_images=len(test[1]),
        own=OwnImages(train, test),
    )
    if not is_listed:
        return DATASETS.add_unlisted(name, dataset)
    return DATASETS[name] if name in list(DATASETS) else DATASETS.add(name, dataset)


def check_shared_limits(data: Any) -> None:
    """Check that images are not too many for a server with many visitors.

    Parameters
    ----------
    data : tuple or dict
        As of `read_own_npz` and `read_image_archive`.

    Raises
    ------
    DatasetError
        There are too many images, channels, features or classes; the message says which.
    """
    parts = list(data.values()) if isinstance(data, Mapping) else [data]
    images = sum(len(pixels) for pixels, _ in parts if pixels.ndim)
    if images > SHARED_IMAGES:
        raise DatasetError(f"the file has {images:,} images, at most {SHARED_IMAGES:,}")
    for pixels, labels in parts:
        if pixels.ndim == 2 and pixels.shape[1] > SHARED_FEATURES:
            raise DatasetError(
                f"vectors have {pixels.shape[1]:,} features, at most {SHARED_FEATURES:,}"
            )
        is_number = np.issubdtype(labels.dtype, np.integer) and labels.size
        if is_number and labels.max() >= SHARED_CLASSES:
            raise DatasetError(
                f"labels go up to {labels.max():,}: at most {SHARED_CLASSES} classes, from 0, are "
                "possible here"
            )


def channel_statistics(data: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Measure what training images are normalised by.

    Parameters
    ----------
    data : tuple, Dataset, DataLoader or mapping
        As of `register_dataset`, which holds the same images out for testing.

    Returns
    -------
    mean, std : tuple of float
        Of each channel of the training images, in units in which uint8 pixels are from 0 to 1.

    Raises
    ------
    DatasetError
        If the data are not images and labels, or a channel has the same value everywhere.
    """
    (pixels, _), _ = _train_and_test(data)
    scale = 255 if pixels.dtype == np.uint8 else 1
    axes = (0, 2, 3)
    means = (pixels.mean(axes, dtype=np.float64) / scale).tolist()
    deviations = (pixels.std(axes, dtype=np.float64) / scale).tolist()
    if min(deviations) < MIN_STD:
        channel = int(np.argmin(deviations))
        raise DatasetError(
            f"channel {channel} of the images has the same value everywhere: use the images as "
            "they are, or leave the channel out"
        )
    return tuple(means), tuple(deviations)


def read_own_npz(source: Path | bytes, max_bytes: int = MAX_BYTES) -> Any:
    """Read images and labels from an .npz archive.

    Parameters
    ----------
    source : Path or bytes
        The path or the content of an archive with ``x_train``, ``y_train``, ``x_test`` and
        ``y_test``, or with ``x`` and ``y``, of which a fifth is held out for testing.
    max_bytes : int
        Limit on the size of all arrays.

    Returns
    -------
    tuple or dict
        As of `register_dataset`.

    Raises
    ------
    DatasetError
        If the file is missing, needs code to be run, is too large, or has other arrays.
    """
    path = "the file" if isinstance(source, bytes) else str(source)
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    arrays = read_all_arrays(file, max_bytes, path)
    if {"x_train", "y_train", "x_test", "y_test"} <= set(arrays):
        return {
            "train": (arrays["x_train"], arrays["y_train"]),
            "test": (arrays["x_test"], arrays["y_test"]),
        }
    if {"x", "y"} <= set(arrays):
        return arrays["x"], arrays["y"]
    raise DatasetError(
        f"{path} has the arrays {', '.join(sorted(arrays)) or 'none'}: it needs x_train, y_train, "
        "x_test and y_test, or x and y"
    )


def _train_and_test(data: Any) -> tuple[Arrays, Arrays]:
    if isinstance(data, Mapping):
        missing = {"train", "test"} - set(data)
        if missing:
            raise DatasetError('a mapping of data needs the keys "train" and "test"')
        return _arrays(data["train"]), _arrays(data["test"])
    pixels, labels = _arrays(data)
    hashes = np.array([_image_hash(image) for image in pixels], dtype="S16")
    order = np.argsort(hashes, kind="stable")
    tests = math.ceil(TEST_SHARE * len(labels))
    while tests < len(order) and hashes[order[tests - 1]] == hashes[order[tests]]:
        tests += 1  # equal images stay together
    if tests == len(order):
        raise DatasetError("the images are equal: give different ones")
    test, train = np.sort(order[:tests]), np.sort(order[tests:])
    return (pixels[train], labels[train]), (pixels[test], labels[test])


def _arrays(data: Any) -> Arrays:
    """Return pixels (N, C, H, W) and labels (N,)."""
    is_pair = isinstance(data, tuple | list) and len(data) == 2
    images, labels = data if is_pair else _collected(data)
    pixels, numbers = _array(images), _array(labels)
    if pixels.dtype not in (np.uint8, np.float32):
        if not np.issubdtype(pixels.dtype, np.floating):
            raise DatasetError(f"images are {pixels.dtype}: give uint8 or floating-point numbers")
        pixels = pixels.astype(np.float32)
    if pixels.ndim == 2:  # vectors of features: channels of one pixel
        pixels = pixels[:, :, None, None]
    elif pixels.ndim == 3:
        pixels = pixels[:, None]
    elif pixels.ndim == 4 and _is_channels_last(pixels.shape):
        pixels = pixels.transpose(0, 3, 1, 2)
    if pixels.ndim != 4 or pixels.size == 0:
        raise DatasetError(
            f"images have the shape {pixels.shape}: give (N, channels, height, width), "
            "(N, height, width, channels), (N, height, width) or (N, features)"
        )
    numbers = numbers.reshape(-1)
    if len(numbers) != len(pixels):
        raise DatasetError(f"there are {len(pixels)} images but {len(numbers)} labels")
    if len(pixels) < MIN_IMAGES:
        raise DatasetError(f"{len(pixels)} images are too few: give at least {MIN_IMAGES}")
    is_whole = np.issubdtype(numbers.dtype, np.integer)
    if not is_whole or numbers.min() < 0 or numbers.max() >= MAX_CLASSES:
        raise DatasetError(
            f"labels must be whole numbers from 0 to {MAX_CLASSES - 1:,}, one for each image"
        )
    if not np.isfinite(pixels).all():
        raise DatasetError("images contain NaN or infinite values")
    if pixels.dtype != np.uint8 and np.abs(pixels).max() > LARGEST:
        raise DatasetError(f"images contain numbers beyond {LARGEST:g}: scale them")
    return np.ascontiguousarray(pixels), numbers.astype(np.int64)


def _is_channels_last(shape: tuple[int, ...]) -> bool:
    """Tell whether images can only be (N, height, width, channels), as Keras stores them."""
    _, first, second, last = shape
    is_square_first = first == second != last
    return is_square_first and last in (1, 3)


def _as_bytes(parts: tuple[Arrays, Arrays]) -> tuple[Arrays, Arrays]:
    """Store pixels that are whole numbers / 255, as of ``ToTensor``, in a quarter of the memory."""
    stored = []
    for pixels, labels in parts:
        numbers = np.rint(pixels * np.float32(255))
        is_byte = pixels.dtype == np.float32 and numbers.min() >= 0 and numbers.max() <= 255
        if not is_byte or not np.array_equal(numbers / np.float32(255), pixels):
            return parts
        stored.append((numbers.astype(np.uint8), labels))
    return stored[0], stored[1]


def _array(values: Any) -> np.ndarray:
    if isinstance(values, torch.Tensor):
        return values.detach().cpu().numpy()
    return np.asarray(values)


def _collected(data: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Read all pairs of a dataset or a loader."""
    loader = data
    if not isinstance(data, DataLoader):
        try:
            loader = DataLoader(data, batch_size=LOADER_BATCH)
        except (TypeError, ValueError) as error:
            raise DatasetError(_advice(data)) from error
    images, labels = [], []
    try:
        for batch_images, batch_labels in loader:
            images.append(batch_images)
            labels.append(torch.as_tensor(batch_labels))
    except (TypeError, ValueError, KeyError, RuntimeError) as error:
        raise DatasetError(_advice(data)) from error
    if not images:
        raise DatasetError("the data have no image")
    try:
        return torch.cat(images), torch.cat(labels)
    except (RuntimeError, TypeError) as error:
        raise DatasetError("the images have different shapes: give images of one shape") from error


def _advice(data: Any) -> str:
    return (
        f"data of type {type(data).__name__} cannot be read: give a pair of tensors "
        "(images, labels), or a Dataset or DataLoader that yields such pairs"
    )


def _digest(train: Arrays, test: Arrays, settings: bytes) -> str:
    digest = hashlib.sha256(settings)
    for pixels, labels in (train, test):
        digest.update(repr((pixels.shape, str(pixels.dtype))).encode())
        digest.update(pixels.tobytes())
        digest.update(labels.tobytes())
    return digest.hexdigest()[:16]


def _image_hash(image: np.ndarray) -> bytes:
    return hashlib.blake2b(image.tobytes(), digest_size=16).digest()
