"""Fetching MNIST and CIFAR-10 through torchvision, into one checked file."""

import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pruning.data.datasets import DATASETS, available, path_of, read_npz
from pruning.runtime.atomic_write import atomic_write
from pruning.runtime.errors import DatasetError


def download(name: str, report: Callable[[float], None] = lambda share: None) -> Path:
    """Fetch a dataset to ``<data dir>/<name>.npz``, unless it is there. Nothing half-written stays behind.

    Parameters
    ----------
    report : called about five times a second with the share of bytes that have come, 0 to 1, and at the end; what it raises ends
        the wait, and the half-fetched files go

    Raises
    ------
    ValueError : unknown name.
    DatasetError : offline, no room on the disk, or the files that came are not what they should be.
    """
    dataset, path = DATASETS[name], path_of(name)
    if available(name):
        return path
    place = path.parent
    try:
        place.mkdir(parents=True, exist_ok=True)
        _sweep(place, name)
        folder = Path(tempfile.mkdtemp(dir=place, prefix=f".{name}-"))
    except OSError as error:
        raise DatasetError(
            f"{dataset.label} cannot be written to {place} ({error.strerror}): "
            "set PRUNESCOPE_DATA to a folder that can be written"
        ) from error
    try:
        arrays = _watched(lambda: _fetch(name, folder), folder, dataset.download_bytes, report)
        with atomic_write(path) as temporary:
            np.savez_compressed(temporary, **arrays)
            for part in ("train", "test"):
                read_npz(dataset, temporary, part)
        report(1.0)
    except OSError as error:
        if getattr(error, "errno", None) == 28:
            raise DatasetError(
                f"no room on the disk for {dataset.label} in {place}: free "
                f"{2 * dataset.download_bytes // 10**6} MB, or set PRUNESCOPE_DATA"
            ) from error
        raise DatasetError(_offline(dataset.label, path, error)) from error
    except RuntimeError as error:  # torchvision: no mirror answered, or a wrong checksum
        raise DatasetError(_offline(dataset.label, path, error)) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return path


def _sweep(place: Path, name: str) -> None:
    """Remove what a download that was killed left behind: anything of ours that has not grown for an hour."""
    for rest in place.glob(f".{name}[-.]*"):
        if time.time() - max(p.stat().st_mtime for p in (rest, *rest.rglob("*"))) > 3600:
            shutil.rmtree(rest) if rest.is_dir() else rest.unlink()


def _offline(label: str, path: Path, error: Exception) -> str:
    reason = str(error).strip().split("\n")[-1].strip(" :") or type(error).__name__
    return (
        f"{label} could not be downloaded ({reason}): check the connection and try again, "
        f"or put a Keras {path.name} at {path}"
    )


def _fetch(name: str, folder: Path) -> dict[str, np.ndarray]:
    from torchvision.datasets import CIFAR10, MNIST

    kind = {"mnist": MNIST, "cifar10": CIFAR10}[name]
    arrays = {}
    for part in ("train", "test"):
        there = kind(str(folder), train=part == "train", download=True)
        arrays |= {
            f"x_{part}": np.asarray(there.data, np.uint8),
            f"y_{part}": np.asarray(there.targets, np.uint8),
        }
    return arrays


def _watched(
    work: Callable, folder: Path, total: int, report: Callable[[float], None]
) -> dict[str, np.ndarray]:
    """Run ``work`` in a thread of its own and report how many bytes of archives have come meanwhile."""
    outcome: dict = {}

    def keep() -> None:
        try:
            outcome["result"] = work()
        except Exception as error:  # raised below, in the caller's thread
            outcome["error"] = error

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.2)
        report(
            min(
                1.0,
                sum(file.stat().st_size for file in folder.rglob("*.gz") if file.exists()) / total,
            )
        )
    if "error" in outcome:
        raise outcome["error"]
    return outcome["result"]
