"""Dataset files: what is read, and what is refused."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pruning.data import datasets
from pruning.runtime.errors import DatasetError
from tests.pruning.data.arrays import fake_arrays


def test_test_images_never_load_the_training_images(folder, monkeypatch):
    np.savez(folder / "mnist.npz", **fake_arrays())
    asked = []
    plain = np.lib.npyio.NpzFile.__getitem__
    monkeypatch.setattr(
        np.lib.npyio.NpzFile, "__getitem__", lambda self, key: asked.append(key) or plain(self, key)
    )
    datasets.load("mnist", "test")
    assert asked == ["x_test", "y_test"]


def write_members(path: Path, members: dict[str, bytes]) -> None:
    """Write a zip file of the given members, whatever they hold."""
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def npy_with_header(header: bytes) -> bytes:
    """A .npy member without data whose header says what ``header`` says."""
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


def write_broken(problem: str, path: Path, arrays: dict[str, np.ndarray]) -> str:
    """Write a file with one problem; returns a part of the message that must name it."""
    members = {f"{name}.npy": npy(array) for name, array in arrays.items() if "test" in name}
    if problem == "not a zip":
        path.write_bytes(b"hello")
        return "broken .* not an .npz archive"
    if problem == "empty":
        path.write_bytes(b"")
        return "broken .* not an .npz archive"
    if problem == "truncated":
        np.savez(path, **arrays)
        path.write_bytes(path.read_bytes()[:-1_000_000])
        return "broken .* not an .npz archive"
    if problem == "not an archive":
        path.write_bytes(npy(arrays["x_test"]))
        return "broken .* not an .npz archive"
    if problem == "flipped byte":
        np.savez(path, **arrays)
        content = bytearray(path.read_bytes())
        content[-2_000_000] ^= 255
        path.write_bytes(content)
        return "broken .* array x_test is damaged"
    if problem == "shape":
        np.savez(path, **arrays | {"x_test": arrays["x_test"][:, :20]})
        return "shape"
    if problem == "type":
        np.savez(path, **arrays | {"x_test": arrays["x_test"].astype(np.float32)})
        return "float32"
    if problem == "labels":
        np.savez(path, **arrays | {"y_test": arrays["y_test"] + 1})
        return "labels"
    if problem == "missing array":
        np.savez(path, **{name: array for name, array in arrays.items() if name != "y_test"})
        return "broken .* no array y_test"
    if problem == "objects":
        np.savez(path, **arrays | {"y_test": np.array([{}] * 10_000, object)})
        return "broken .* array y_test is damaged or holds Python objects"
    if problem == "text member":
        write_members(path, members | {"x_test.npy": b"These are not the images."})
        return "broken .* member x_test is not an array"
    if problem == "empty member":
        write_members(path, members | {"x_test.npy": b""})
        return "broken .* member x_test is not an array"
    if problem == "member without suffix":
        del members["y_test.npy"]
        write_members(path, members | {"y_test": b"0123456789"})
        return "broken .* member y_test is not an array"
    if problem == "huge":
        header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000000,), }\n"
        write_members(path, members | {"x_test.npy": npy_with_header(header)})
        return "broken .* array x_test does not fit into memory"
    if problem == "deep header":
        write_members(path, members | {"x_test.npy": npy_with_header(b"(" * 5_000)})
        return "broken .* array x_test"
    if problem == "text array":
        write_members(path, members | {"y_test.npy": npy(np.array(["0"] * 10_000))})
        return "labels"
    if problem == "member is cut":
        write_members(path, members | {"x_test.npy": members["x_test.npy"][:1000]})
        return "broken .* array x_test is damaged"
    raise AssertionError(problem)


@pytest.mark.parametrize(
    "problem",
    [
        "not a zip",
        "empty",
        "truncated",
        "not an archive",
        "flipped byte",
        "shape",
        "type",
        "labels",
        "missing array",
        "objects",
        "text member",
        "empty member",
        "member without suffix",
        "huge",
        "deep header",
        "text array",
        "member is cut",
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence_that_names_it(problem, folder):
    path = folder / "mnist.npz"
    pattern = write_broken(problem, path, fake_arrays())
    with pytest.raises(DatasetError, match=pattern) as caught:
        datasets.load("mnist", "test")
    message = str(caught.value)
    assert str(path) in message and "download mnist" in message and "\n" not in message


def test_a_file_without_training_images_is_refused_for_training_only(folder):
    arrays = fake_arrays()
    np.savez(folder / "mnist.npz", x_test=arrays["x_test"], y_test=arrays["y_test"])
    assert len(datasets.load("mnist", "test")) == 10_000
    for load in (
        lambda: datasets.load("mnist", "validation"),
        lambda: datasets.calibration("mnist", 10),
    ):
        with pytest.raises(DatasetError, match=r"broken .* no array x_train"):
            load()


def test_a_file_that_cannot_be_read_says_why(folder):
    (folder / "mnist.npz").mkdir()
    with pytest.raises(DatasetError, match=r"mnist.npz cannot be read \(is a directory\)"):
        datasets.load("mnist", "test")
