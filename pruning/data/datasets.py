"""Images and labels as uint8 tensors, in fixed train, validation and test splits.

``digits`` comes with scikit-learn. ``mnist`` and ``cifar10`` are read from ``<data dir>/<name>.npz`` (Keras
layout: x_train, y_train, x_test, y_test), which `pruning.download` can make.
"""

import hashlib
import os
import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import platformdirs
import torch

from pruning.runtime.errors import DatasetError
from pruning.runtime.registry import Registry

SPLITS = ("train", "validation", "test")
VALIDATION_SEED = b"prunescope validation"


@dataclass(frozen=True)
class Dataset:
    """What is known of a dataset without opening it. ``mean`` and ``std`` are per channel, of pixels in [0, 1]."""

    name: str
    label: str
    source: str
    channels: int
    size: int
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    train_images: int  # before the validation images are held out
    validation_images: int
    test_images: int
    download_bytes: int = 0  # 0: built in


@dataclass(frozen=True)
class Images:
    """``pixels`` (N, C, H, W) uint8 and ``labels`` (N,) int64."""

    pixels: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)


DATASETS: Registry[Dataset] = Registry("dataset")
_DIGITS = tuple("0123456789")
for _dataset in (
    Dataset(
        "digits",
        "Digits",
        "scikit-learn's 1,797 handwritten digits, 8x8 enlarged to 28x28",
        1,
        28,
        _DIGITS,
        (0.3055,),
        (0.3247,),
        1437,
        287,
        360,
    ),
    Dataset(
        "mnist",
        "MNIST",
        "LeCun et al. 1998",
        1,
        28,
        _DIGITS,
        (0.1307,),
        (0.3081,),
        60_000,
        5_000,
        10_000,
        11_594_722,
    ),
    Dataset(
        "cifar10",
        "CIFAR-10",
        "Krizhevsky 2009",
        3,
        32,
        ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        (0.4914, 0.4822, 0.4465),
        (0.2470, 0.2435, 0.2616),
        50_000,
        5_000,
        10_000,
        170_498_071,
    ),
):
    DATASETS.add(_dataset.name, _dataset)


def data_dir() -> Path:
    """Where dataset files are: ``PRUNESCOPE_DATA``, else the user's cache directory."""
    return Path(
        os.environ.get("PRUNESCOPE_DATA") or platformdirs.user_cache_path("prunescope") / "data"
    ).absolute()


def path_of(name: str) -> Path:
    return data_dir() / f"{DATASETS[name].name}.npz"


def available(name: str) -> bool:
    return not DATASETS[name].download_bytes or path_of(name).is_file()


def load(name: str, split: str) -> Images:
    """The images of one split, read when first asked for; test images never load the training images.

    Validation and test images come in an order that their pixels decide: any first ones are a random sample.

    Raises
    ------
    ValueError : unknown name or split.
    DatasetError : the file is missing or broken; the message says which and what to do.
    """
    dataset = DATASETS[name]
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: choose from {', '.join(SPLITS)}")
    return _split_of(
        dataset, split, path_of(name) if dataset.download_bytes else None, _modified(dataset)
    )


def calibration(name: str, count: int) -> Images:
    """``count`` training images for criteria that look at what a network does; which ones, their pixels decide.

    Raises
    ------
    ValueError : more than there are.
    DatasetError : the file is missing or broken.
    """
    dataset = DATASETS[name]
    most = dataset.train_images - dataset.validation_images
    if not 1 <= count <= most:
        raise ValueError(f"calibration must be a whole number from 1 to {most}, not {count}")
    return _first_of(
        dataset, count, path_of(name) if dataset.download_bytes else None, _modified(dataset)
    )


def _modified(dataset: Dataset) -> int:
    if not dataset.download_bytes:
        return 0
    path = path_of(dataset.name)
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        raise DatasetError(
            f"{dataset.label} is not at {path}: run `python -m pruning download {dataset.name}`, "
            "or set PRUNESCOPE_DATA to the folder that has it"
        ) from None


@lru_cache(maxsize=4)
def _first_of(dataset: Dataset, count: int, path: Path | None, modified: int) -> Images:
    pixels, labels = _read(dataset, path, "train")  # for a few: not kept in memory
    return _taken(pixels, labels, _order(pixels)[dataset.validation_images :][:count])


@lru_cache(maxsize=len(SPLITS) * 4)
def _split_of(dataset: Dataset, split: str, path: Path | None, modified: int) -> Images:
    pixels, labels = _read(dataset, path, "test" if split == "test" else "train")
    order = _order(
        pixels
    )  # an estimate looks at the first ones, and in MNIST's file the first ones are easier
    if split == "test":
        return _taken(pixels, labels, order)
    held_out = order[: dataset.validation_images]
    return _taken(
        pixels,
        labels,
        held_out if split == "validation" else np.setdiff1d(np.arange(len(order)), held_out),
    )


def _read(dataset: Dataset, path: Path | None, part: str) -> tuple[np.ndarray, np.ndarray]:
    return _digits(part) if path is None else read_npz(dataset, path, part)


def _taken(pixels: np.ndarray, labels: np.ndarray, which: np.ndarray) -> Images:
    return Images(
        torch.from_numpy(np.ascontiguousarray(pixels[which])), torch.from_numpy(labels[which])
    )


def read_npz(dataset: Dataset, path: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """``part`` ("train" or "test") of a Keras-layout file, checked: pixels (N, C, H, W) uint8, labels (N,) int64.

    The pixels are a view of what is in the file: a copy would take its memory twice."""
    remedy = f"delete it and run `python -m pruning download {dataset.name}`"
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            pixels, labels = file[f"x_{part}"], file[f"y_{part}"]
    except (
        ValueError,
        KeyError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
        TypeError,
        RuntimeError,
    ) as error:
        raise DatasetError(
            f"{path} is broken or not a {dataset.label} file ({error}): {remedy}"
        ) from error
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be read ({error.strerror or error}): check the file and the disk"
        ) from error
    count = dataset.train_images if part == "train" else dataset.test_images
    shape = (count, dataset.size, dataset.size) + (
        (dataset.channels,) if dataset.channels > 1 else ()
    )
    if pixels.shape != shape or pixels.dtype != np.uint8:
        raise DatasetError(
            f"{path} has x_{part} of shape {pixels.shape} and type {pixels.dtype}, "
            f"not {shape} and uint8: {remedy}"
        )
    if (
        labels.size != count
        or not np.issubdtype(labels.dtype, np.integer)
        or labels.min() < 0
        or labels.max() >= len(dataset.classes)
    ):
        raise DatasetError(
            f"{path} has wrong labels y_{part}: they must be {count:,} whole numbers "
            f"from 0 to {len(dataset.classes) - 1}: {remedy}"
        )
    pixels = pixels[:, None] if pixels.ndim == 3 else pixels.transpose(0, 3, 1, 2)
    return pixels, labels.reshape(-1).astype(np.int64)


def _digits(part: str) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8).astype(np.int64)  # 0 to 16
    # Bilinear in whole numbers, so that the pixels are the same on every machine: output i lies at (4i - 5) / 14.
    place = np.clip(4 * np.arange(28) - 5, 0, 7 * 14)
    weights = np.zeros((28, 8), np.int64)
    for i, (low, rest) in enumerate(zip(place // 14, place % 14)):
        weights[i, low] += 14 - rest
        weights[i, min(low + 1, 7)] += rest
    pixels = (weights @ images @ weights.T * 255 + 8 * 196) // (16 * 196)
    train, test = train_test_split(
        np.arange(len(labels)), test_size=0.2, random_state=0, stratify=labels
    )
    chosen = np.sort(test if part == "test" else train)
    return pixels[chosen, None].astype(np.uint8), labels[chosen].astype(np.int64)


def _digest(image: np.ndarray) -> bytes:
    return hashlib.blake2b(image.tobytes(), digest_size=16, key=VALIDATION_SEED).digest()


def _order(pixels: np.ndarray) -> np.ndarray:
    """Images by keyed hash; the lowest are for validation.

    By content, not by position: files that hold the images in different orders give the same split, so a shipped
    checkpoint never meets in validation an image that it was trained on.
    """
    return np.argsort(np.array([_digest(image) for image in pixels], dtype="S16"), kind="stable")


def fingerprint(images: Images) -> str:
    """sha256 of the images and labels whatever their order, hexadecimal."""
    lines = sorted(
        _digest(image) + bytes([label])
        for image, label in zip(images.pixels.numpy(), images.labels.tolist())
    )
    return hashlib.sha256(b"".join(lines)).hexdigest()


def normalise(pixels: torch.Tensor, dataset: Dataset) -> torch.Tensor:
    """Pixels (N, C, H, W), uint8 or floats in [0, 1], as the networks take them: float32, channels last."""
    x = pixels.to(torch.float32, memory_format=torch.channels_last)
    mean = torch.tensor(dataset.mean).view(1, -1, 1, 1)
    std = torch.tensor(dataset.std).view(1, -1, 1, 1)
    scale = 255.0 if pixels.dtype == torch.uint8 else 1.0
    return (x - mean * scale) / (std * scale)
