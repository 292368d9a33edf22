import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from pruning.data import datasets
from pruning.data.datasets import DATASETS, SPLITS
from pruning.runtime.errors import DatasetError
from tests.pruning.data.arrays import fake_arrays

ALL_DATASETS = [
    pytest.param(name, marks=[pytest.mark.slow] if name == "cifar10" else []) for name in DATASETS
]


@pytest.mark.parametrize("name", ALL_DATASETS)
def test_splits_have_their_sizes_and_share_no_image(name, real):
    real(name)
    data = DATASETS[name]
    splits = {split: datasets.load(name, split) for split in SPLITS}
    assert [len(splits[s]) for s in SPLITS] == [
        data.train_images - data.validation_images,
        data.validation_images,
        data.test_images,
    ]
    for images in splits.values():
        assert images.pixels.dtype == torch.uint8 and images.labels.dtype == torch.int64
        assert images.pixels.shape[1:] == (data.channels, data.size, data.size)
        assert set(images.labels.tolist()) == set(range(10))
    digests = {
        s: {datasets._image_hash(image) for image in splits[s].pixels.numpy()} for s in SPLITS
    }
    assert not digests["train"] & digests["validation"]
    assert not digests["train"] & digests["test"] and not digests["validation"] & digests["test"]


@pytest.mark.parametrize("name", ALL_DATASETS)
def test_normalised_training_pixels_have_mean_0_and_deviation_1(name, real):
    real(name)
    x = datasets.normalise(datasets.load(name, "train").pixels[:20_000], DATASETS[name])
    assert (
        x.dtype == torch.float32
        and x.mean((0, 2, 3)).abs().max() < 0.02
        and (x.std((0, 2, 3)) - 1).abs().max() < 0.02
    )


def test_float_pixels_in_0_to_1_are_normalised_like_bytes():
    pixels = datasets.load("digits", "test").pixels[:50]
    torch.testing.assert_close(
        datasets.normalise(pixels / 255, DATASETS["digits"]),
        datasets.normalise(pixels, DATASETS["digits"]),
    )


def test_the_validation_split_does_not_depend_on_the_order_of_the_file(folder):
    arrays, order = fake_arrays(), np.random.default_rng(1).permutation(60_000)
    np.savez(folder / "mnist.npz", **arrays)
    first = datasets.load("mnist", "validation")
    (folder / "mnist.npz").unlink()
    np.savez(folder / "mnist.npz", **arrays | {k: arrays[k][order] for k in ("x_train", "y_train")})
    second = datasets.load("mnist", "validation")
    assert torch.equal(first.pixels, second.pixels) and torch.equal(first.labels, second.labels)
    assert datasets.fingerprint(first) == datasets.fingerprint(second)


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


def test_unknown_names():
    with pytest.raises(
        ValueError, match="unknown dataset 'svhn': choose from digits, mnist, cifar10"
    ):
        datasets.load("svhn", "test")
    with pytest.raises(
        ValueError, match="unknown split 'dev': choose from train, validation, test"
    ):
        datasets.load("digits", "dev")


def test_a_dataset_that_is_not_there_says_where_and_what_to_do(folder):
    assert not datasets.available("mnist") and datasets.available("digits")
    with pytest.raises(DatasetError, match="download mnist"):
        datasets.load("mnist", "test")


def test_the_first_test_images_are_a_random_sample_in_an_order_that_pixels_decide(folder):
    arrays = fake_arrays()
    arrays["y_test"] = np.sort(arrays["y_test"])  # a file with the easy ones first
    np.savez(folder / "mnist.npz", **arrays)
    images = datasets.load("mnist", "test")
    first = images.labels[:1000].bincount(minlength=10) / 1000
    assert (first - images.labels.bincount(minlength=10) / len(images)).abs().max() < 0.05
    backwards = {name: values[::-1] for name, values in arrays.items()}
    np.savez(folder / "mnist.npz", **backwards)
    datasets._load_split.cache_clear()
    again = datasets.load("mnist", "test")
    assert torch.equal(again.pixels, images.pixels) and torch.equal(again.labels, images.labels)
