"""Data that a user brings: what is understood, and what is refused."""

import gc
import io
import pickle
import random
import weakref

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from pruning.data import datasets
from pruning.data.datasets import DATASETS, normalise
from pruning.data.npz import read_all_arrays
from pruning.data.own_dataset import (
    channel_statistics,
    check_shared_limits,
    read_own_npz,
    register_dataset,
)
from pruning.runtime.errors import DatasetError

X = torch.rand(50, 3, 4, 4, generator=torch.Generator().manual_seed(0))
Y = torch.arange(50) % 5


def test_a_fifth_is_held_out_and_the_splits_share_no_image():
    data = register_dataset((X, Y))
    splits = {split: datasets.load(data.name, split) for split in ("train", "validation", "test")}
    assert {name: len(split) for name, split in splits.items()} == {
        "train": 36,
        "validation": 4,
        "test": 10,
    }
    pixels = torch.cat([split.pixels for split in splits.values()])
    assert len(pixels.flatten(1).unique(dim=0)) == 50


def test_images_are_used_as_they_are_or_normalised():
    plain = register_dataset((X, Y))
    assert torch.equal(normalise(X, plain), X)
    data = register_dataset((X, Y), mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.3))
    expected = (X - torch.tensor(data.mean).view(3, 1, 1)) / torch.tensor(data.std).view(3, 1, 1)
    torch.testing.assert_close(normalise(X, data), expected)
    assert data.name != plain.name


def test_pixels_of_bytes_come_back_exactly():
    rows = [torch.arange(256).roll(shift) for shift in range(10)]
    numbers = torch.stack(rows).to(torch.uint8).view(10, 1, 16, 16)
    pixels = numbers.float() / 255  # as ToTensor gives them
    data = register_dataset((pixels, torch.arange(10)))
    stored = datasets.load(data.name, "train").pixels
    assert stored.dtype == torch.uint8
    shown = normalise(stored, data)
    assert all(bool((pixels == image).flatten(1).all(1).any()) for image in shown)


def test_equal_images_are_on_one_side():
    images = torch.cat([X[:1].expand(10, -1, -1, -1), X[1:11]])
    data = register_dataset((images, torch.zeros(20, dtype=torch.int64)))
    train = torch.from_numpy(data.own.train[0]).flatten(1)
    test = torch.from_numpy(data.own.test[0]).flatten(1)
    assert len(train) + len(test) == 20
    assert not (train[:, None] == test[None]).all(2).any()


def test_a_mapping_has_its_own_test_images():
    data = register_dataset({"train": (X[:30], Y[:30]), "test": TensorDataset(X[30:], Y[30:])})
    assert data.test_images == 20
    assert DATASETS[data.name].classes == ("0", "1", "2", "3", "4")


REFUSED = [
    ((X, Y[:-1]), "there are 50 images but 49 labels"),
    ((X[:5], Y[:5]), "5 images are too few"),
    ((X, Y.float()), "labels must be whole numbers"),
    ((X, Y - 1), "labels must be whole numbers"),
    ((X, Y * 10**6), "labels must be whole numbers from 0 to 9,999"),
    ((X * float("nan"), Y), "NaN or infinite"),
    ((X[..., :3], Y), "not square: pad or crop"),
    ((X[:, :, :, :, None], Y), "images have the shape"),
    ((X.bool(), Y), "images are bool"),
    ({"train": (X, Y)}, 'the keys "train" and "test"'),
    ({"train": (X, Y), "test": (X[:, :1], Y)}, "give images of one shape"),
    (3, "data of type int cannot be read"),
    ([X], "cannot be read"),
]


@pytest.mark.parametrize("data, message", REFUSED, ids=[message for _, message in REFUSED])
def test_other_data_are_refused_by_a_sentence(data, message):
    with pytest.raises(DatasetError, match=message):
        register_dataset(data)


def test_names_of_classes_and_normalisation_must_fit():
    with pytest.raises(DatasetError, match="there are 2 names of classes, but labels up to 4"):
        register_dataset((X, Y), classes=("a", "b"))
    with pytest.raises(DatasetError, match="mean and std need 3 values"):
        register_dataset((X, Y), mean=(0.5,))


def test_archives(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, x=X.numpy(), y=Y.numpy())
    pixels, labels = read_own_npz(path)
    assert np.array_equal(pixels, X.numpy()) and np.array_equal(labels, Y.numpy())
    np.savez(path, x=X.numpy(), z=Y.numpy())
    with pytest.raises(DatasetError, match="has the arrays x, z: it needs x_train"):
        read_own_npz(path)


def test_archives_that_need_code_or_too_much_memory_are_refused(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, x=np.array([{"a": 1}], object), y=Y.numpy())
    with pytest.raises(DatasetError, match="Python objects"):
        read_own_npz(path)
    path.write_bytes(pickle.dumps(X))
    with pytest.raises(DatasetError, match=r"not an \.npz archive"):
        read_own_npz(path)
    np.savez_compressed(path, x=np.zeros((100, 1, 100, 100), np.uint8), y=Y.numpy())
    with pytest.raises(DatasetError, match="at most 10,000 are possible"):
        read_all_arrays(path, 10_000)
    with pytest.raises(DatasetError, match="does not exist"):
        read_own_npz(tmp_path / "nothing.npz")


def test_statistics_are_those_of_the_training_images():
    data = {"train": (X[:40], Y[:40]), "test": (X[40:], Y[40:])}
    mean, std = channel_statistics(data)
    assert mean == pytest.approx(X[:40].mean((0, 2, 3)).tolist())
    assert std == pytest.approx(X[:40].std((0, 2, 3), correction=0).tolist())
    as_bytes = (X * 255).round().to(torch.uint8)
    mean_of_bytes, _ = channel_statistics({"train": (as_bytes[:40], Y[:40]), "test": (X, Y)})
    assert mean_of_bytes == pytest.approx(mean, abs=1e-3)


def test_a_channel_without_variance_has_no_statistics():
    with pytest.raises(DatasetError, match="channel 1 of the images has the same value"):
        channel_statistics((torch.stack([X[:, 0], torch.ones(50, 4, 4)], 1), Y))


def test_channels_may_be_last_as_in_keras():
    data = register_dataset((X.permute(0, 2, 3, 1), Y))
    assert data.name == register_dataset((X, Y)).name


def test_an_archive_may_be_bytes():
    file = io.BytesIO()
    np.savez(file, x=X.numpy(), y=Y.numpy())
    pixels, labels = read_own_npz(file.getvalue())
    assert np.array_equal(pixels, X.numpy()) and np.array_equal(labels, Y.numpy())
    with pytest.raises(DatasetError, match="the file cannot be used"):
        read_own_npz(file.getvalue(), 1_000)


def test_a_discarded_dataset_is_not_kept_by_a_cache():
    data = register_dataset((X, Y), label="Discarded")
    images = datasets.load(data.name, "test")
    assert datasets.load(data.name, "test") is images
    assert datasets.calibration(data.name, 5) is datasets.calibration(data.name, 5)
    own = weakref.ref(data.own)
    DATASETS.discard(data.name)
    del data
    gc.collect()
    assert own() is None


@pytest.mark.parametrize(
    "data, message",
    [
        ((np.zeros((60_001, 1), np.uint8), np.zeros(60_001, int)), "60,001 images, at most"),
        ((np.zeros((10, 5_000), np.uint8), np.zeros(10, int)), "5,000 features, at most 4,096"),
        ((np.zeros((10, 5), np.uint8), np.arange(10) * 100), "labels go up to 900"),
        ({"train": (X, Y), "test": (X, Y + 300)}, "labels go up to 304"),
    ],
)
def test_a_shared_server_has_lower_limits(data, message):
    if isinstance(data, dict):
        data = {part: (images.numpy(), labels.numpy()) for part, (images, labels) in data.items()}
    with pytest.raises(DatasetError, match=message):
        check_shared_limits(data)
    check_shared_limits((X.numpy(), Y.numpy()))


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"std": (1e-60,) * 3}, "std must be from 1e-06"),
        ({"std": (1.0,) * 3, "mean": (1e30,) * 3}, "mean must be at most"),
    ],
)
def test_numbers_that_float32_cannot_hold_are_refused(settings, message):
    with pytest.raises(DatasetError, match=message):
        register_dataset((X, Y), **settings)
    with pytest.raises(DatasetError, match="beyond 1e"):
        register_dataset((X * 1e9, Y))


def test_a_single_number_is_no_image():
    data = (np.array(3, np.uint8), np.array(1))
    check_shared_limits(data)
    with pytest.raises(DatasetError, match="images have the shape"):
        register_dataset(data)


def test_500_broken_archives_end_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = io.BytesIO()
    np.savez_compressed(file, x=X.numpy(), y=Y.numpy())
    whole, rng = file.getvalue(), random.Random(0)
    refused = 0
    for _ in range(500):
        content = bytearray(whole)
        if rng.random() < 0.3:
            content = content[: rng.randrange(1, len(content))]
        for _ in range(rng.randrange(1, 20)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        try:
            data = read_own_npz(bytes(content), 10_000_000)
            check_shared_limits(data)
            register_dataset(data)
        except DatasetError as error:
            refused += 1
            assert 10 < len(str(error)) < 600
    assert refused > 400
    assert not list(tmp_path.iterdir())
