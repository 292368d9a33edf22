import numpy as np
import torch

from pruning.data import datasets
from pruning.data.datasets import DATASETS, Images, normalise
from pruning.training.batches import Augmentation, Batches, augment

CPU = torch.device("cpu")


def batches_of(images: Images, size: int, seed: int = 0) -> Batches:
    return Batches(images, DATASETS["digits"], size, Augmentation(), seed, CPU)


def test_an_epoch_has_every_image_at_most_once_and_is_the_same_every_time():
    images = datasets.load("digits", "train")
    batches = batches_of(images, 64)
    first, again = list(batches.epoch(3)), list(batches.epoch(3))
    assert len(first) == len(batches) == len(images) // 64
    seen = torch.cat([x for x, _ in first])
    assert torch.equal(seen, torch.cat([x for x, _ in again]))
    originals = normalise(images.pixels, DATASETS["digits"])
    rows = {bytes(image.contiguous().numpy()) for image in seen}
    assert rows <= {bytes(image.contiguous().numpy()) for image in originals}
    assert len(rows) > 0.95 * len(seen)  # a few digits are there twice


def test_epochs_and_seeds_differ_in_their_order():
    images = datasets.load("digits", "train")
    labels = []
    for seed, epoch in [(0, 0), (0, 1), (1, 0)]:
        labels.append(torch.cat([y for _, y in batches_of(images, 64, seed).epoch(epoch)]))
    assert not torch.equal(labels[0], labels[1])
    assert not torch.equal(labels[0], labels[2])


def test_a_batch_is_never_larger_than_the_dataset():
    images = datasets.load("digits", "validation")
    [(x, labels)] = batches_of(images, 10_000).epoch(0)
    assert len(x) == len(labels) == len(images)


def test_augmented_images_are_moved_and_mirrored_originals():
    pixels = torch.arange(1, 26, dtype=torch.uint8).view(1, 1, 5, 5).repeat(200, 1, 1, 1)
    moved = augment(pixels, Augmentation(max_shift=1, flip=True), torch.Generator().manual_seed(0))
    assert moved.shape == pixels.shape and moved.dtype == torch.uint8
    padded = np.pad(pixels[0, 0].numpy(), 1)
    expected = {
        bytes(np.ascontiguousarray(crop[:, ::step]))
        for down in range(3)
        for right in range(3)
        for crop in [padded[down : down + 5, right : right + 5]]
        for step in (1, -1)
    }
    assert {bytes(image.contiguous().numpy()) for image in moved[:, 0]} == expected
    still = augment(pixels, Augmentation(), torch.Generator())
    assert torch.equal(still, pixels)
