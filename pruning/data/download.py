"""Download of datasets through torchvision, into one validated file each."""

import errno
import shutil
import tempfile
import threading
import time
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

import numpy as np

from pruning.data.datasets import DATASETS, Dataset, available, path_of, read_npz
from pruning.runtime.atomic_write import atomic_write
from pruning.runtime.errors import DatasetError
from pruning.runtime.progress import ShareReport, ignore_progress

Arrays = dict[str, np.ndarray]

TORCHVISION_CLASSES = {"mnist": "MNIST", "cifar10": "CIFAR10"}
"""Classes of ``torchvision.datasets``, by the name of the dataset."""
REPORT_INTERVAL_S = 0.2
ABANDONED_AFTER_S = 3600


def download(name: str, report: ShareReport = ignore_progress) -> Path:
    """Download a dataset to ``<data dir>/<name>.npz``, unless it is available already.

    The file is written atomically; after an error, no temporary file remains.

    Parameters
    ----------
    name
        A key of ``DATASETS``.
    report
        Called about five times a second, and at the end, with the downloaded share of the bytes,
        0 to 1. An exception that it raises ends the download.

    Returns
    -------
    Path
        Path of the file.

    Raises
    ------
    ValueError
        If the name is unknown.
    DatasetError
        If the dataset has no download, the server cannot be reached, the disk is full or not
        writable, or the downloaded files are not valid.
    """
    dataset = DATASETS[name]
    path = path_of(name)
    if available(name):
        return path
    if name not in TORCHVISION_CLASSES:
        raise DatasetError(f"{dataset.label} has no download: put a Keras {path.name} at {path}")
    folder = _make_folder(dataset, path.parent)
    try:
        arrays = _fetch_with_progress(dataset, folder, report)
        with atomic_write(path) as temporary:
            np.savez_compressed(
                temporary,
                x_train=arrays["x_train"],
                y_train=arrays["y_train"],
                x_test=arrays["x_test"],
                y_test=arrays["y_test"],
            )
            for part in ("train", "test"):
                read_npz(dataset, temporary, part)
        report(1.0)
    except (OSError, HTTPException, RuntimeError) as error:  # torchvision: RuntimeError
        raise _download_error(dataset, path, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return path


def _make_folder(dataset: Dataset, parent: Path) -> Path:
    """Make a temporary folder for torchvision's files."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(dataset, parent)
        return Path(tempfile.mkdtemp(dir=parent, prefix=f".{dataset.name}-"))
    except OSError as error:
        reason = (error.strerror or "input/output error").lower()
        raise DatasetError(
            f"{dataset.label} cannot be written to {parent} ({reason}): "
            "set PRUNESCOPE_DATA to a folder that can be written"
        ) from error


def _remove_abandoned(dataset: Dataset, parent: Path) -> None:
    """Remove the temporary files of killed downloads: those without a change for an hour."""
    for path in parent.glob(f".{dataset.name}[-.]*"):
        last_change = max(entry.stat().st_mtime for entry in (path, *path.rglob("*")))
        if time.time() - last_change < ABANDONED_AFTER_S:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _download_error(dataset: Dataset, path: Path, error: Exception) -> DatasetError:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        megabytes = 2 * dataset.download_bytes // 10**6
        return DatasetError(
            f"no room on the disk for {dataset.label} in {path.parent}: "
            f"free {megabytes} MB, or set PRUNESCOPE_DATA"
        )
    return DatasetError(
        f"{dataset.label} could not be downloaded ({_describe(error)}): check the connection and "
        f"try again, or put a Keras {path.name} at {path}"
    )


def _describe(error: Exception) -> str:
    """Describe an error of torchvision, urllib or the operating system in words."""
    if isinstance(error, HTTPError):
        return f"the server answered with status {error.code}"
    if isinstance(error, TimeoutError):
        return "the connection timed out"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, HTTPException):
        return "the connection was interrupted"
    if "corrupted" in str(error):  # torchvision compares checksums
        return "the downloaded files are incomplete or damaged"
    return "no server could be reached"


def _fetch(dataset: Dataset, folder: Path) -> Arrays:
    """Download a dataset with torchvision; returns the arrays in the layout of Keras."""
    import torchvision.datasets

    torchvision_class = getattr(torchvision.datasets, TORCHVISION_CLASSES[dataset.name])
    arrays = {}
    for part in ("train", "test"):
        source = torchvision_class(str(folder), train=part == "train", download=True)
        arrays[f"x_{part}"] = np.asarray(source.data, np.uint8)
        arrays[f"y_{part}"] = np.asarray(source.targets, np.uint8)
    return arrays


class _FetchThread(threading.Thread):
    """Runs `_fetch` and stores its result, or the exception that it raised."""

    def __init__(self, dataset: Dataset, folder: Path):
        super().__init__(daemon=True)
        self.dataset = dataset
        self.folder = folder
        self.arrays: Arrays = {}
        self.error: Exception | None = None

    def run(self) -> None:
        """Download the files; called by ``start``."""
        try:
            self.arrays = _fetch(self.dataset, self.folder)
        except Exception as error:  # raised in the calling thread by `result`
            self.error = error

    def result(self) -> Arrays:
        """Return the arrays of a finished thread, or raise its exception.

        Returns
        -------
        dict of str to np.ndarray
            Arrays in the layout of Keras.
        """
        if self.error is not None:
            raise self.error
        return self.arrays


def _fetch_with_progress(dataset: Dataset, folder: Path, report: ShareReport) -> Arrays:
    """Download in a thread and report the share of the archives' bytes meanwhile."""
    thread = _FetchThread(dataset, folder)
    thread.start()
    while thread.is_alive():
        thread.join(REPORT_INTERVAL_S)
        report(min(1.0, _archive_bytes(folder) / dataset.download_bytes))
    return thread.result()


def _archive_bytes(folder: Path) -> int:
    """Return the total size of the archives in a folder that another thread is writing to."""
    return sum(path.stat().st_size for path in folder.rglob("*.gz") if path.exists())
