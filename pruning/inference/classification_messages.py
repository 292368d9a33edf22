"""Messages between a program and its classification process."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from pruning.data import datasets
from pruning.data.datasets import Images
from pruning.inference.classify import BatchTally, Replacements

READY = b"ready"
"""The first message of the process."""
MAX_MODELS = 8
"""Networks that the process keeps, the most recently used ones."""


@dataclass(frozen=True)
class SplitImages:
    """The first images of a split.

    Parameters
    ----------
    dataset, split : str
        Names.
    count : int
        Number of images.
    """

    dataset: str
    split: str
    count: int

    def load(self) -> Images:
        """Load the images.

        Returns
        -------
        Images
            Views of the cached split.
        """
        images = datasets.load(self.dataset, self.split)
        return Images(images.pixels[: self.count], images.labels[: self.count])


@dataclass(frozen=True, eq=False)
class Begin:
    """Begin a classification; there is no reply.

    Parameters
    ----------
    number : int
        Of the classification.
    model_number : int
        Of the network.
    model : nn.Module or None
        The network; None if the process has it.
    replacements, images, skip
        As of `classify_split`.
    """

    number: int
    model_number: int
    model: nn.Module | None
    replacements: Sequence[Replacements]
    images: SplitImages
    skip: Sequence[int]


@dataclass(frozen=True)
class Advance:
    """Continue a classification for some time; the reply is `Tallies`, or an exception.

    Parameters
    ----------
    number : int
        Of the classification.
    done : frozenset of int
        Members that need no more images.
    """

    number: int
    done: frozenset[int]


@dataclass(frozen=True)
class End:
    """End a classification; there is no reply.

    Parameters
    ----------
    number : int
        Of the classification.
    """

    number: int


@dataclass(frozen=True)
class Tallies:
    """Results of an `Advance`.

    Parameters
    ----------
    items : tuple of BatchTally
        In the order of `classify`.
    is_finished : bool
        Whether there are no more.
    """

    items: tuple[BatchTally, ...]
    is_finished: bool
