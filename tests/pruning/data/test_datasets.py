import hashlib

import numpy as np
import pytest
import torch

from pruning.data import datasets
from pruning.data.datasets import DATASETS, SPLITS, Images
from pruning.engine.caches import clear_caches
from pruning.runtime.errors import DatasetError
from tests.pruning.data.arrays import fake_arrays

ALL_DATASETS = [
    pytest.param(name, marks=[pytest.mark.slow] if name == "cifar10" else []) for name in DATASETS
]


def digests_of(images: Images) -> set[bytes]:
    return {hashlib.sha256(image.tobytes()).digest() for image in images.pixels.numpy()}


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
        assert set(images.labels.tolist()) == set(range(len(data.classes)))
    digests = {split: digests_of(images) for split, images in splits.items()}
    assert not digests["train"] & digests["validation"]
    assert not digests["train"] & digests["test"]
    assert not digests["validation"] & digests["test"]


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
    clear_caches()
    again = datasets.load("mnist", "test")
    assert torch.equal(again.pixels, images.pixels) and torch.equal(again.labels, images.labels)


def test_draws_of_calibration_images_are_training_images_that_are_all_different():
    draws = [datasets.calibration("digits", 230, draw) for draw in range(5)]
    digests = [digests_of(images) for images in draws]
    assert sum(len(found) for found in digests) == len(set.union(*digests))
    assert set.union(*digests) == digests_of(datasets.load("digits", "train"))
    first = datasets.calibration("digits", 230)
    assert torch.equal(first.pixels, draws[0].pixels) and torch.equal(first.labels, draws[0].labels)


@pytest.mark.parametrize("draw", [-1, 5])
def test_a_draw_that_the_training_images_do_not_have_is_refused(draw):
    with pytest.raises(ValueError, match=rf"digits has 5 draws of 230 .* the number {draw}$"):
        datasets.calibration("digits", 230, draw)
