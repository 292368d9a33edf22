import os
import time
import urllib.request
from dataclasses import replace
from email.message import Message
from http.client import IncompleteRead
from pathlib import Path
from types import SimpleNamespace
from urllib.error import HTTPError, URLError

import pytest
import torch
import torchvision.datasets

from pruning.data import datasets, download
from pruning.runtime.errors import DatasetError
from tests.pruning.data.arrays import fake_arrays


def fake_torchvision(monkeypatch, arrays: dict, error: Exception | None = None) -> None:
    """Replace torchvision's MNIST: it writes a partial file, then returns these arrays or fails."""

    def mnist(root, train, download):
        (Path(root) / "half.gz").write_bytes(b"half")
        if error:
            raise error
        part = "train" if train else "test"
        return SimpleNamespace(
            data=torch.from_numpy(arrays[f"x_{part}"]),
            targets=torch.from_numpy(arrays[f"y_{part}"]),
        )

    monkeypatch.setattr(torchvision.datasets, "MNIST", mnist)


def test_a_download_becomes_one_checked_file(folder, monkeypatch):
    arrays, shares = fake_arrays(), []
    fake_torchvision(monkeypatch, arrays)
    assert download.download("mnist", shares.append) == folder / "mnist.npz"
    assert [p.name for p in folder.iterdir()] == ["mnist.npz"]
    assert sorted(datasets.load("mnist", "test").labels.tolist()) == sorted(
        arrays["y_test"].tolist()
    )
    assert shares[-1] == 1.0 and all(0 <= share <= 1 for share in shares)


@pytest.mark.parametrize(
    "error, part",
    [
        (OSError(28, "No space left on device"), "no room on the disk"),
        (OSError(101, "Network is unreachable"), "network is unreachable.*check the connection"),
        (TimeoutError("timed out"), "timed out.*check the connection"),
        (
            HTTPError("http://host", 503, "Busy", Message(), None),
            "status 503.*check the connection",
        ),
        (IncompleteRead(b"half"), "interrupted.*check the connection"),
        (URLError("[Errno -2] Name unknown"), "no server could be reached.*check the connection"),
        (RuntimeError("Error downloading train-images:\n"), "no server.*check the connection"),
        (RuntimeError("File not found or corrupted."), "incomplete or damaged"),
    ],
)
def test_a_failed_download_says_why_and_leaves_nothing(error, part, folder, monkeypatch):
    fake_torchvision(monkeypatch, {}, error)
    with pytest.raises(DatasetError, match=part) as caught:
        download.download("mnist")
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)
    assert "Errno" not in str(caught.value)
    assert list(folder.iterdir()) == []


def test_a_download_of_the_wrong_thing_leaves_nothing(folder, monkeypatch):
    arrays = fake_arrays()
    fake_torchvision(monkeypatch, arrays | {"y_test": arrays["y_test"] + 1})
    with pytest.raises(DatasetError, match="labels"):
        download.download("mnist")
    assert list(folder.iterdir()) == []


def test_a_dataset_without_a_download_says_where_to_put_it(folder, monkeypatch):
    new = replace(datasets.DATASETS["mnist"], name="new", label="New")
    for module in (datasets, download):
        monkeypatch.setattr(module, "DATASETS", {"new": new})
    with pytest.raises(DatasetError) as caught:
        download.download("new")
    path = folder / "new.npz"
    assert str(caught.value) == f"New has no download: put a Keras new.npz at {path}"
    assert list(folder.iterdir()) == []


def test_really_offline(folder, monkeypatch):
    """Torchvision's own code, with a proxy that does not exist."""
    # urllib caches an opener with the proxies of its first use.
    monkeypatch.setattr(urllib.request, "_opener", None)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(DatasetError, match="check the connection"):
        download.download("mnist")
    assert list(folder.iterdir()) == []


def test_temporary_files_of_killed_downloads_are_removed(folder, monkeypatch):
    old_folder, old_file, recent = (
        folder / ".mnist-old",
        folder / ".mnist.npz.old",
        folder / ".mnist-new",
    )
    old_folder.mkdir()
    (old_folder / "half.gz").write_bytes(b"half")
    old_file.write_bytes(b"half")
    recent.mkdir()
    hours_ago = time.time() - 2 * 3600
    for path in (old_folder / "half.gz", old_folder, old_file):
        os.utime(path, (hours_ago, hours_ago))
    fake_torchvision(monkeypatch, fake_arrays())
    download.download("mnist")
    assert sorted(path.name for path in folder.iterdir()) == [".mnist-new", "mnist.npz"]
