"""Images and labels as uint8 tensors, in fixed train, validation and test splits.

``digits`` is part of scikit-learn. ``mnist`` and ``cifar10`` are read from
``<data dir>/<name>.npz``, which `pruning.data.download` writes.
"""

import hashlib
import os
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import torch

from pruning.data.base import DATASETS, Dataset, Images, OwnImages
from pruning.data.digits import read_digits
from pruning.data.npz import missing_file, read_npz
from pruning.runtime.defaults import DEFAULT_DATASET

__all__ = [
    "DATASETS",
    "DEFAULT_DATASET",
    "SPLITS",
    "Dataset",
    "Images",
    "available",
    "calibration",
    "data_dir",
    "fingerprint",
    "load",
    "normalise",
    "path_of",
    "read_npz",
]

SPLITS = ("train", "validation", "test")
VALIDATION_SEED = b"prunescope validation"


def data_dir() -> Path:
    """Return the folder of the dataset files.

    Returns
    -------
    Path
        The environment variable ``PRUNESCOPE_DATA`` if it is set, else a folder in the user's
        cache directory.
    """
    folder = os.environ.get("PRUNESCOPE_DATA")
    if folder:
        return Path(folder).absolute()
    return (platformdirs.user_cache_path("prunescope") / "data").absolute()


def path_of(name: str) -> Path:
    """Return the path of a dataset's file, whether or not it exists.

    Parameters
    ----------
    name
        A key of ``DATASETS``.

    Returns
    -------
    Path
        The path.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    return data_dir() / f"{DATASETS[name].name}.npz"


def available(name: str) -> bool:
    """Return whether a dataset can be loaded without a download.

    Parameters
    ----------
    name
        A key of ``DATASETS``.

    Returns
    -------
    bool
        True if the dataset is built in or its file exists.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    is_built_in = not DATASETS[name].download_bytes
    return is_built_in or path_of(name).is_file()


def load(name: str, split: str) -> Images:
    """Load one split of a dataset.

    The splits are read on first use and cached; the test split is read without the training
    images. Validation and test images are ordered by a hash of their pixels, so that the first
    images of these splits are a random sample.

    Parameters
    ----------
    name
        A key of ``DATASETS``.
    split
        ``"train"``, ``"validation"`` or ``"test"``.

    Returns
    -------
    Images
        The images of the split.

    Raises
    ------
    ValueError
        If the name or the split is unknown.
    DatasetError
        If the file is missing or not valid; the message says which and what to do.
    """
    dataset = DATASETS[name]
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: choose from {', '.join(SPLITS)}")
    if dataset.own is not None:
        return _own_selection(dataset, dataset.own, split)
    return _load_split(dataset, split, _file_of(dataset))


def calibration(name: str, count: int, draw: int = 0) -> Images:
    """Load training images for criteria and recoveries that depend on data.

    The images are selected by a hash of their pixels; different draws of as many images share
    none.

    Parameters
    ----------
    name
        A key of ``DATASETS``.
    count
        Number of images.
    draw
        Number of the draw, from 0.

    Returns
    -------
    Images
        The images.

    Raises
    ------
    ValueError
        If the name is unknown, ``count`` is less than 1 or greater than the size of the training
        split, or the training split is too small for so many draws.
    DatasetError
        If the file is missing or not valid.
    """
    dataset = DATASETS[name]
    available_images = dataset.train_images - dataset.validation_images
    if not 1 <= count <= available_images:
        raise ValueError(
            f"calibration must be a whole number from 1 to {available_images}, not {count}"
        )
    if not 0 <= draw < available_images // count:
        raise ValueError(
            f"{name} has {available_images // count} draws of {count} calibration images, "
            f"numbered from 0, not one with the number {draw}"
        )
    if dataset.own is not None:
        return _own_selection(dataset, dataset.own, count, draw)
    return _load_calibration(dataset, count, draw, _file_of(dataset))


def fingerprint(images: Images) -> str:
    """Hash images and labels, independently of their order.

    Parameters
    ----------
    images
        The images.

    Returns
    -------
    str
        A SHA-256 digest, hexadecimal.
    """
    pixels, labels = images.pixels.numpy(), images.labels.tolist()
    records = []
    for image, label in zip(pixels, labels, strict=True):
        length = 1 if label < 256 else 4
        records.append(_image_hash(image) + label.to_bytes(length, "little"))
    return hashlib.sha256(b"".join(sorted(records))).hexdigest()


def normalise(pixels: torch.Tensor, dataset: Dataset) -> torch.Tensor:
    """Scale pixels to mean 0 and standard deviation 1 per channel, as the networks expect them.

    Parameters
    ----------
    pixels
        Images (N, C, H, W), uint8 or floating-point values in [0, 1].
    dataset
        The dataset of the images.

    Returns
    -------
    torch.Tensor
        Images (N, C, H, W) of float32 in channels-last format.
    """
    x = pixels.to(torch.float32, memory_format=torch.channels_last)
    mean = torch.tensor(dataset.mean, device=x.device).view(1, -1, 1, 1)
    std = torch.tensor(dataset.std, device=x.device).view(1, -1, 1, 1)
    scale = 255.0 if pixels.dtype == torch.uint8 else 1.0
    return (x - mean * scale) / (std * scale)


@dataclass(frozen=True)
class _DatasetFile:
    """A file in one version; part of the cache keys, so that a changed file is read again."""

    path: Path
    modified_ns: int


def _file_of(dataset: Dataset) -> _DatasetFile | None:
    """Return the current file of a dataset, None for a dataset that is built in."""
    if not dataset.download_bytes:
        return None
    path = path_of(dataset.name)
    try:
        return _DatasetFile(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        raise missing_file(dataset, path) from None


def _own_selection(dataset: Dataset, own: OwnImages, *selection: Any) -> Images:
    """Return a split or calibration images of a user, which are kept with the dataset."""
    with _selecting:
        known = own.selections.get(selection)
    if known is not None:
        return known
    select: Any = _select_split if len(selection) == 1 else _select_calibration
    images = select(dataset, *selection, None)
    with _selecting:
        return own.selections.setdefault(selection, images)


_selecting = threading.Lock()
"""Of the selections of all users, which several threads change."""


@lru_cache(maxsize=4)
def _load_calibration(dataset: Dataset, count: int, draw: int, file: _DatasetFile | None) -> Images:
    return _select_calibration(dataset, count, draw, file)


@lru_cache(maxsize=len(SPLITS) * 4)
def _load_split(dataset: Dataset, split: str, file: _DatasetFile | None) -> Images:
    return _select_split(dataset, split, file)


def _select_calibration(
    dataset: Dataset, count: int, draw: int, file: _DatasetFile | None
) -> Images:
    pixels, labels = _read_part(dataset, file, "train")
    training_images = _content_order(pixels)[dataset.validation_images :]
    first = draw * count
    return _select(pixels, labels, training_images[first : first + count])


def _select_split(dataset: Dataset, split: str, file: _DatasetFile | None) -> Images:
    if split == "test":
        # In MNIST's file the first test images are easier than the others, so that an estimate
        # from the first images requires another order.
        pixels, labels = _read_part(dataset, file, "test")
        return _select(pixels, labels, _content_order(pixels))
    pixels, labels = _read_part(dataset, file, "train")
    validation = _content_order(pixels)[: dataset.validation_images]
    if split == "validation":
        return _select(pixels, labels, validation)
    training = np.setdiff1d(np.arange(len(pixels)), validation)
    return _select(pixels, labels, training)


CACHED_FUNCTIONS = {"images of a split": _load_split, "calibration images": _load_calibration}
"""Functions whose results stay in memory, by what they return."""


def _read_part(
    dataset: Dataset, file: _DatasetFile | None, part: str
) -> tuple[np.ndarray, np.ndarray]:
    if dataset.own is not None:
        return dataset.own.train if part == "train" else dataset.own.test
    if file is None:
        return read_digits(part)
    return read_npz(dataset, file.path, part)


def _select(pixels: np.ndarray, labels: np.ndarray, indices: np.ndarray) -> Images:
    selected = np.ascontiguousarray(pixels[indices])
    return Images(torch.from_numpy(selected), torch.from_numpy(labels[indices]))


def _content_order(pixels: np.ndarray) -> np.ndarray:
    """Return the indices of images (N, C, H, W), sorted by a keyed hash of their pixels.

    The lowest are the validation split. The split depends on the content of the images and not
    on their positions: files that hold the images in different orders give the same split, so
    that no training image of a shipped checkpoint is ever a validation image.
    """
    hashes = np.array([_image_hash(image) for image in pixels], dtype="S16")
    return np.argsort(hashes, kind="stable")


def _image_hash(image: np.ndarray) -> bytes:
    return hashlib.blake2b(image.tobytes(), digest_size=16, key=VALIDATION_SEED).digest()
