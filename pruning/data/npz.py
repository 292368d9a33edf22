"""Dataset files: .npz archives in the layout of Keras (x_train, y_train, x_test, y_test)."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from pruning.data.base import Dataset
from pruning.runtime.errors import DatasetError

MAX_MEMBERS = 100
"""Arrays of an archive that is read whole."""


def read_npz(dataset: Dataset, path: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Read and validate one part of a file in the layout of Keras.

    Parameters
    ----------
    dataset
        The dataset that the file must contain.
    path
        Path of the file.
    part
        ``"train"`` or ``"test"``.

    Returns
    -------
    pixels : np.ndarray
        Images (N, C, H, W) of uint8: a view of the array that was read, because a copy would
        double the memory.
    labels : np.ndarray
        Labels (N,) of int64.

    Raises
    ------
    DatasetError
        If the file is missing, cannot be read, or does not contain the images and labels of the
        dataset.
    """
    try:
        with path.open("rb") as file:
            pixels, labels = _read_arrays(file, (f"x_{part}", f"y_{part}"))
    except FileNotFoundError:
        raise missing_file(dataset, path) from None
    except OSError as error:
        reason = (error.strerror or "input/output error").lower()
        raise DatasetError(
            f"{path} cannot be read ({reason}): check the file and the disk"
        ) from error
    except _InvalidArchive as error:
        raise DatasetError(
            f"{path} is broken or not a {dataset.label} file ({error}): {_remedy(dataset)}"
        ) from error
    _validate_pixels(dataset, path, part, pixels)
    _validate_labels(dataset, path, part, labels)
    return _channels_first(pixels), labels.reshape(-1).astype(np.int64)


def read_all_arrays(
    source: Path | IO[bytes], max_bytes: int, name: str = ""
) -> dict[str, np.ndarray]:
    """Read every array of an .npz archive that may come from anybody.

    Parameters
    ----------
    source
        Path of the file, or the open file.
    max_bytes
        Limit on the size of all arrays, which is checked before anything is unpacked.
    name
        Name of the file for messages; default: its path.

    Returns
    -------
    dict of str to np.ndarray
        The arrays by name.

    Raises
    ------
    DatasetError
        If the file is missing, is no archive of numbers, or exceeds the limit.
    """
    title = name or str(source)
    try:
        if not isinstance(source, Path):
            return _all_arrays(source, max_bytes)
        with source.open("rb") as file:
            return _all_arrays(file, max_bytes)
    except FileNotFoundError:
        raise DatasetError(f"{title} does not exist") from None
    except OSError as error:
        reason = (error.strerror or "input/output error").lower()
        raise DatasetError(f"{title} cannot be read ({reason})") from error
    except (_InvalidArchive, zipfile.BadZipFile) as error:
        raise DatasetError(f"{title} cannot be used ({error})") from error


def _all_arrays(file: IO[bytes], max_bytes: int) -> dict[str, np.ndarray]:
    if not zipfile.is_zipfile(file):
        raise _InvalidArchive("it is not an .npz archive")
    members = zipfile.ZipFile(file).infolist()
    size = sum(member.file_size for member in members)
    if size > max_bytes or len(members) > MAX_MEMBERS:
        raise _InvalidArchive(f"its arrays take {size:,} bytes, at most {max_bytes:,} are possible")
    file.seek(0)
    names = [member.filename.removesuffix(".npy") for member in members]
    return dict(zip(names, _read_arrays(file, names), strict=True))


def missing_file(dataset: Dataset, path: Path) -> DatasetError:
    """Return the error for a dataset whose file does not exist.

    Parameters
    ----------
    dataset
        The dataset.
    path
        Path where its file was expected.

    Returns
    -------
    DatasetError
        The exception, to be raised by the caller.
    """
    return DatasetError(
        f"{dataset.label} is not at {path}: run `python -m pruning download {dataset.name}`, "
        "or set PRUNESCOPE_DATA to the folder that has it"
    )


class _InvalidArchive(Exception):
    """An .npz file cannot be decoded; the message describes the problem."""


def _remedy(dataset: Dataset) -> str:
    return f"delete it and run `python -m pruning download {dataset.name}`"


def _read_arrays(file: IO[bytes], names: Sequence[str]) -> list[np.ndarray]:
    """Read arrays of an .npz file; `_InvalidArchive` if one is missing or cannot be decoded."""
    try:
        archive = np.load(file, allow_pickle=False)
    except OSError:
        raise
    except Exception as error:  # NumPy and zipfile document no closed set of exceptions
        raise _InvalidArchive("it is not an .npz archive") from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise _InvalidArchive("it is not an .npz archive")
    with archive:
        return [_read_array(archive, name) for name in names]


def _read_array(archive: np.lib.npyio.NpzFile, name: str) -> np.ndarray:
    if name not in archive:
        raise _InvalidArchive(f"it has no array {name}")
    try:
        array = archive[name]
    except OSError:
        raise
    except MemoryError as error:
        raise _InvalidArchive(f"its array {name} does not fit into memory") from error
    except Exception as error:  # a damaged member may raise any exception of its decoder
        raise _InvalidArchive(f"its array {name} is damaged or holds Python objects") from error
    if not isinstance(array, np.ndarray):  # NumPy returns the bytes of a member of another format
        raise _InvalidArchive(f"its member {name} is not an array")
    return array


def _channels_first(pixels: np.ndarray) -> np.ndarray:
    """Return a view (N, C, H, W) of images (N, H, W) or (N, H, W, C)."""
    if pixels.ndim == 3:
        return pixels[:, np.newaxis]
    return pixels.transpose(0, 3, 1, 2)


def _validate_pixels(dataset: Dataset, path: Path, part: str, pixels: np.ndarray) -> None:
    shape: tuple[int, ...] = (_image_count(dataset, part), dataset.size, dataset.size)
    if dataset.channels > 1:
        shape = (*shape, dataset.channels)
    if pixels.shape != shape or pixels.dtype != np.uint8:
        raise DatasetError(
            f"{path} has x_{part} of shape {pixels.shape} and type {pixels.dtype}, "
            f"not {shape} and uint8: {_remedy(dataset)}"
        )


def _validate_labels(dataset: Dataset, path: Path, part: str, labels: np.ndarray) -> None:
    count = _image_count(dataset, part)
    valid = (
        labels.size == count
        and np.issubdtype(labels.dtype, np.integer)
        and labels.min() >= 0
        and labels.max() < len(dataset.classes)
    )
    if not valid:
        raise DatasetError(
            f"{path} has wrong labels y_{part}: they must be {count:,} whole numbers "
            f"from 0 to {len(dataset.classes) - 1}: {_remedy(dataset)}"
        )


def _image_count(dataset: Dataset, part: str) -> int:
    return dataset.train_images if part == "train" else dataset.test_images
