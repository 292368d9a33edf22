import urllib.request

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from pruning.data import datasets, download
from pruning.data.datasets import DATASETS, SPLITS
from pruning.runtime.errors import DatasetError


def fake(name: str = "mnist", seed: int = 0) -> dict[str, np.ndarray]:
    """Arrays of the right shapes, with random pixels."""
    data, random = DATASETS[name], np.random.default_rng(seed)
    shape = (data.size, data.size) + ((3,) if data.channels == 3 else ())
    arrays = {}
    for part, count in (("train", data.train_images), ("test", data.test_images)):
        # One random row an image: different images, quickly made.
        pixels = np.zeros((count, *shape), np.uint8)
        pixels[:, 0] = random.integers(0, 256, (count, *shape[1:]), np.uint8)
        arrays |= {f"x_{part}": pixels, f"y_{part}": random.integers(0, 10, count).astype(np.uint8)}
    return arrays


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", DATASETS)
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
    digests = {s: {datasets._digest(image) for image in splits[s].pixels.numpy()} for s in SPLITS}
    assert not digests["train"] & digests["validation"]
    assert not digests["train"] & digests["test"] and not digests["validation"] & digests["test"]


@pytest.mark.parametrize("name", DATASETS)
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


def test_digits_are_scikit_learns_enlarged_and_stratified():
    train, test = (datasets._digits(part) for part in ("train", "test"))
    assert np.bincount(test[1]).tolist() == [36, 36, 35, 37, 36, 37, 36, 36, 35, 36]
    small, labels = load_digits(return_X_y=True)
    small = torch.tensor(small.reshape(-1, 1, 8, 8), dtype=torch.float64)
    big = (
        torch.nn.functional.interpolate(small, size=28, mode="bilinear") * 255 / 16
    )  # PyTorch's own enlargement
    ours = np.concatenate([train[0], test[0]])
    assert sorted(np.concatenate([train[1], test[1]])) == sorted(labels)
    expected = {tuple(image.round().int().flatten().tolist()) for image in big}
    off = [image for image in ours if tuple(image.astype(int).flatten().tolist()) not in expected]
    assert len(off) < 0.2 * len(
        ours
    )  # the rest differ only where PyTorch's floats round a half the other way
    nearest = (
        min((np.abs(off[0].astype(float) - image.numpy()).max() for image in big)) if off else 0
    )
    assert nearest <= 0.501


def test_the_validation_split_does_not_depend_on_the_order_of_the_file(folder):
    arrays, order = fake(), np.random.default_rng(1).permutation(60_000)
    np.savez(folder / "mnist.npz", **arrays)
    first = datasets.load("mnist", "validation")
    (folder / "mnist.npz").unlink()
    np.savez(folder / "mnist.npz", **arrays | {k: arrays[k][order] for k in ("x_train", "y_train")})
    second = datasets.load("mnist", "validation")
    assert torch.equal(first.pixels, second.pixels) and torch.equal(first.labels, second.labels)
    assert datasets.fingerprint(first) == datasets.fingerprint(second)


def test_test_images_never_load_the_training_images(folder, monkeypatch):
    np.savez(folder / "mnist.npz", **fake())
    asked = []
    plain = np.lib.npyio.NpzFile.__getitem__
    monkeypatch.setattr(
        np.lib.npyio.NpzFile, "__getitem__", lambda self, key: asked.append(key) or plain(self, key)
    )
    datasets.load("mnist", "test")
    assert asked == ["x_test", "y_test"]


def broken(what: str, path, arrays: dict) -> str:
    """Make a file that is wrong in one way; returns a part of the message it must give."""
    if what == "not a zip":
        path.write_bytes(b"hello")
    elif what == "truncated":
        np.savez(path, **arrays)
        path.write_bytes(path.read_bytes()[:-1_000_000])
    elif what == "flipped byte":
        np.savez(path, **arrays)
        content = bytearray(path.read_bytes())
        content[-2_000_000] ^= 255
        path.write_bytes(content)
    elif what == "shape":
        np.savez(path, **arrays | {"x_test": arrays["x_test"][:, :20]})
        return "shape"
    elif what == "type":
        np.savez(path, **arrays | {"x_test": arrays["x_test"].astype(np.float32)})
        return "float32"
    elif what == "labels":
        np.savez(path, **arrays | {"y_test": arrays["y_test"] + 1})
        return "labels"
    elif what == "not an archive":
        with path.open("wb") as file:
            np.save(file, arrays["x_test"])
    elif what == "missing array":
        np.savez(path, **{k: v for k, v in arrays.items() if k != "y_test"})
    elif what == "pickle":
        np.savez(path, **arrays | {"y_test": np.array([{}] * 10_000, object)})
    return "broken"


@pytest.mark.parametrize(
    "what",
    [
        "not a zip",
        "truncated",
        "flipped byte",
        "shape",
        "type",
        "labels",
        "missing array",
        "pickle",
        "not an archive",
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence_that_names_it(what, folder):
    path = folder / "mnist.npz"
    part = broken(what, path, fake())
    with pytest.raises(DatasetError) as caught:
        datasets.load("mnist", "test")
    assert (
        part in str(caught.value)
        and str(path) in str(caught.value)
        and "download mnist" in str(caught.value)
    )
    assert "\n" not in str(caught.value)


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


def fetched(monkeypatch, arrays: dict, fail: Exception | None = None) -> None:
    """Let torchvision's classes fetch these arrays, writing something half-way, or fail."""
    from types import SimpleNamespace

    import torchvision.datasets as theirs

    def mnist(root, train, download):
        from pathlib import Path

        (Path(root) / "half.gz").write_bytes(b"half")
        if fail:
            raise fail
        part = "train" if train else "test"
        return SimpleNamespace(
            data=torch.from_numpy(arrays[f"x_{part}"]),
            targets=torch.from_numpy(arrays[f"y_{part}"]),
        )

    monkeypatch.setattr(theirs, "MNIST", mnist)


def test_a_download_becomes_one_checked_file(folder, monkeypatch):
    arrays, shares = fake(), []
    fetched(monkeypatch, arrays)
    assert download.download("mnist", shares.append) == folder / "mnist.npz"
    assert [p.name for p in folder.iterdir()] == ["mnist.npz"]
    assert sorted(datasets.load("mnist", "test").labels.tolist()) == sorted(
        arrays["y_test"].tolist()
    )
    assert shares[-1] == 1.0 and all(0 <= share <= 1 for share in shares)


@pytest.mark.parametrize(
    "fail, part",
    [
        (OSError(28, "No space left on device"), "no room on the disk"),
        (OSError(101, "Network is unreachable"), "check the connection"),
        (RuntimeError("Error downloading train-images"), "check the connection"),
    ],
)
def test_a_failed_download_says_why_and_leaves_nothing(fail, part, folder, monkeypatch):
    fetched(monkeypatch, {}, fail)
    with pytest.raises(DatasetError, match=part) as caught:
        download.download("mnist")
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)
    assert list(folder.iterdir()) == []


def test_a_download_of_the_wrong_thing_leaves_nothing(folder, monkeypatch):
    arrays = fake()
    fetched(monkeypatch, arrays | {"y_test": arrays["y_test"] + 1})
    with pytest.raises(DatasetError, match="labels"):
        download.download("mnist")
    assert list(folder.iterdir()) == []


def test_really_offline(folder, monkeypatch):
    """torchvision's own code, with a proxy that nobody answers at."""
    monkeypatch.setattr(
        urllib.request, "_opener", None
    )  # it remembers the proxies of its first use
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(DatasetError, match="check the connection"):
        download.download("mnist")
    assert list(folder.iterdir()) == []


def test_the_first_test_images_are_a_random_sample_in_an_order_that_pixels_decide(folder):
    arrays = fake()
    arrays["y_test"] = np.sort(arrays["y_test"])  # a file with the easy ones first
    np.savez(folder / "mnist.npz", **arrays)
    images = datasets.load("mnist", "test")
    first = images.labels[:1000].bincount(minlength=10) / 1000
    assert (first - images.labels.bincount(minlength=10) / len(images)).abs().max() < 0.05
    backwards = {name: values[::-1] for name, values in arrays.items()}
    np.savez(folder / "mnist.npz", **backwards)
    again = datasets._split_of.__wrapped__(DATASETS["mnist"], "test", folder / "mnist.npz", 0)
    assert torch.equal(again.pixels, images.pixels) and torch.equal(again.labels, images.labels)
