"""The registry of datasets: their descriptions, without any image."""

from dataclasses import dataclass, field

import numpy as np
import torch
from cachetools import LRUCache

from pruning.runtime.registry import Registry

MAX_SELECTIONS = 5


@dataclass(frozen=True, eq=False)
class OwnImages:
    """Images and labels that a user has brought, before the validation split is held out.

    Parameters
    ----------
    train, test
        Pixels (N, C, H, W), uint8 or float32, and labels (N,), int64.
    selections : LRUCache
        Splits and calibration images that were selected, which live as long as the images.
    """

    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    selections: LRUCache = field(default_factory=lambda: LRUCache(MAX_SELECTIONS), repr=False)


@dataclass(frozen=True)
class Dataset:
    """Description of a dataset, available without its images.

    Parameters
    ----------
    name
        Key in ``DATASETS``.
    label
        Name for people.
    source
        Origin of the images.
    channels
        Channels of an image.
    size
        Height and width of an image in pixels.
    classes
        Names of the classes, in the order of the labels.
    mean, std
        Mean and standard deviation of each channel of the training pixels, scaled to [0, 1].
    train_images
        Number of training images before the validation split is held out.
    validation_images, test_images
        Number of images of these splits.
    download_bytes
        Size of the download; 0 for a dataset that is built in.
    digit_box
        Side of the box into which a digit is scaled, in pixels; 0 if the images are no digits.
    own
        The images of a user's dataset; None for a dataset of this package.
    """

    name: str
    label: str
    source: str
    channels: int
    size: int
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    train_images: int
    validation_images: int
    test_images: int
    download_bytes: int = 0
    digit_box: int = 0
    own: OwnImages | None = field(default=None, compare=False, repr=False)

    @property
    def accepts_pictures(self) -> bool:
        """Whether the pixels of a drawing or a picture are those of an image of the dataset."""
        is_picture = self.channels in (1, 3) and self.size > 1
        return is_picture and (self.own is None or self.own.train[0].dtype == np.uint8)


@dataclass(frozen=True)
class Images:
    """Images and their labels.

    Parameters
    ----------
    pixels
        Tensor (N, C, H, W) of uint8; of a user's own images uint8 or float32.
    labels
        Tensor (N,) of int64.
    """

    pixels: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)


DATASETS: Registry[Dataset] = Registry("dataset")

DATASETS.add(
    "digits",
    Dataset(
        name="digits",
        label="Digits",
        source="scikit-learn's 1,797 handwritten digits, 8x8 enlarged to 28x28",
        channels=1,
        size=28,
        classes=tuple("0123456789"),
        mean=(0.3055,),
        std=(0.3247,),
        train_images=1437,
        validation_images=287,
        test_images=360,
        digit_box=28,
    ),
)
DATASETS.add(
    "mnist",
    Dataset(
        name="mnist",
        label="MNIST",
        source="LeCun et al. 1998",
        channels=1,
        size=28,
        classes=tuple("0123456789"),
        mean=(0.1307,),
        std=(0.3081,),
        train_images=60_000,
        validation_images=5_000,
        test_images=10_000,
        download_bytes=11_594_722,
        digit_box=20,
    ),
)
DATASETS.add(
    "cifar10",
    Dataset(
        name="cifar10",
        label="CIFAR-10",
        source="Krizhevsky 2009",
        channels=3,
        size=32,
        classes=(
            "airplane",
            "automobile",
            "bird",
            "cat",
            "deer",
            "dog",
            "frog",
            "horse",
            "ship",
            "truck",
        ),
        mean=(0.4914, 0.4822, 0.4465),
        std=(0.2470, 0.2435, 0.2616),
        train_images=50_000,
        validation_images=5_000,
        test_images=10_000,
        download_bytes=170_498_071,
    ),
)
