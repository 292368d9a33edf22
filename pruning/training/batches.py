"""Training images in memory, in random order, augmented a batch at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from pruning.data.datasets import Dataset, Images, normalise

EPOCH_SEEDS = 100_003
"""A prime number: seeds of the epochs of two trainings differ if the seeds of the trainings do."""


@dataclass(frozen=True)
class Augmentation:
    """Random changes of the training images.

    Parameters
    ----------
    max_shift : int
        Each image is shifted by up to this number of pixels, vertically and horizontally.
    flip : bool
        Whether half of the images are mirrored horizontally.
    """

    max_shift: int = 0
    flip: bool = False

    def __str__(self) -> str:
        description = f"shift up to {self.max_shift} pixels"
        return f"{description}, mirrored half of the time" if self.flip else description


class Batches:
    """The batches of every epoch.

    The random numbers of an epoch depend on the seed and on the index of the epoch only, so that a
    resumed training has the same batches as an uninterrupted one.

    Parameters
    ----------
    images : Images
        Training images, which stay uint8 until they are part of a batch.
    dataset : Dataset
        Gives the mean and standard deviation of the pixels.
    size : int
        Images of a batch; the last incomplete batch of an epoch is dropped.
    augmentation : Augmentation
        Applied to whole batches.
    seed : int
        Seed of the order and of the augmentation.
    device : torch.device
        Where the batches are used.
    """

    def __init__(
        self,
        images: Images,
        dataset: Dataset,
        size: int,
        augmentation: Augmentation,
        seed: int,
        device: torch.device,
    ) -> None:
        self._pixels = images.pixels.to(device)
        self._labels = images.labels.to(device)
        self._dataset = dataset
        self._size = min(size, len(images))
        self._augmentation = augmentation
        self._seed = seed

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return len(self._labels) // self._size

    def epoch(self, index: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Iterate over the batches of an epoch.

        Parameters
        ----------
        index : int
            Index of the epoch, from 0.

        Yields
        ------
        x : torch.Tensor
            Images, augmented and normalised, (B, C, H, W) float32.
        labels : torch.Tensor
            (B,) int64.
        """
        generator = torch.Generator().manual_seed(self._seed * EPOCH_SEEDS + index)
        order = torch.randperm(len(self._labels), generator=generator)
        for number in range(len(self)):
            start = number * self._size
            chosen = order[start : start + self._size].to(self._labels.device)
            pixels = augment(self._pixels[chosen], self._augmentation, generator)
            yield normalise(pixels, self._dataset), self._labels[chosen]


def augment(
    pixels: torch.Tensor, augmentation: Augmentation, generator: torch.Generator
) -> torch.Tensor:
    """Shift each image over a black border, and mirror it if required, at random.

    Parameters
    ----------
    pixels : torch.Tensor
        Images (B, C, H, W).
    augmentation : Augmentation
        What to do.
    generator : torch.Generator
        Source of the random numbers, on the CPU.

    Returns
    -------
    torch.Tensor
        Images (B, C, H, W) of the same type.
    """
    count, _, height, width = pixels.shape
    max_shift = augmentation.max_shift
    shifts = torch.randint(2 * max_shift + 1, (2, count), generator=generator)
    rows, columns = shifts.to(pixels.device)
    padded = F.pad(pixels, (max_shift,) * 4)
    crops = padded.unfold(2, height, 1).unfold(3, width, 1)  # (B, C, row, column, H, W), a view
    augmented = crops[torch.arange(count, device=pixels.device), :, rows, columns]
    if augmentation.flip:
        is_mirrored = (torch.rand(count, generator=generator) < 0.5).to(pixels.device)
        augmented[is_mirrored] = augmented[is_mirrored].flip(3)
    return augmented
