"""Accuracy of a network on the images that were classified, and the counts it is computed from."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

Z_95 = 1.959963984540054  # standard normal quantile of a two-sided 95% interval


@dataclass(frozen=True)
class Accuracy:
    """Correct / classified images, with the interval of the accuracy on the whole set.

    Parameters
    ----------
    correct : int
        Correctly classified images.
    images : int
        Classified images, at least one.
    total : int
        Images of the whole set.
    """

    correct: int
    images: int
    total: int

    @property
    def value(self) -> float:
        """Correct / classified images, from 0 to 1."""
        return self.correct / self.images

    @property
    def complete(self) -> bool:
        """Whether the whole set was classified."""
        return self.images == self.total

    @property
    def interval(self) -> tuple[float, float]:
        """95% confidence interval (low, high); of the whole set, the value itself, twice.

        See `sample_interval`.
        """
        return (self.value, self.value) if self.complete else self.sample_interval

    @property
    def sample_interval(self) -> tuple[float, float]:
        """95% confidence interval (low, high) of the accuracy on all images like these.

        Of the whole set, too: it is a sample of the images that there could be. The score interval
        of Wilson (1927), "Probable Inference, the Law of Succession, and Statistical Inference".
        In closed form, because a curve computes thousands.
        """
        n, p, z = self.images, self.value, Z_95
        center = p + z * z / (2 * n)
        margin = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        scale = 1 + z * z / n
        return max(0.0, (center - margin) / scale), min(1.0, (center + margin) / scale)

    @property
    def half_width(self) -> float:
        """Half the width of the interval; 0 for the whole set."""
        low, high = self.interval
        return (high - low) / 2


@dataclass(frozen=True)
class Tally:
    """Counts over some images of a split. The tally of the images that follow can be added.

    Parameters
    ----------
    class_correct : tuple of int
        Correctly classified images of each class; empty if there are no images.
    loss : float
        Sum of the cross-entropies of the images, in nats.
    images : int
        Classified images.
    hits : int or None
        Bit i is 1 if image i was classified correctly; None if only the counts are known.
    """

    class_correct: tuple[int, ...] = ()
    loss: float = 0.0
    images: int = 0
    hits: int | None = None

    @classmethod
    def of(cls, logits: torch.Tensor, labels: torch.Tensor) -> "Tally":
        """Count the results of one batch.

        Parameters
        ----------
        logits : torch.Tensor
            Outputs of the network, of shape (N, classes).
        labels : torch.Tensor
            Indices of the true classes, of shape (N,).

        Returns
        -------
        Tally
            The counts of these N images.
        """
        is_correct = logits.argmax(1) == labels
        correct_labels = labels[is_correct]
        class_correct = torch.bincount(correct_labels, minlength=logits.shape[1])
        loss = F.cross_entropy(logits, labels, reduction="sum")
        packed = np.packbits(is_correct.numpy(), bitorder="little").tobytes()
        hits = int.from_bytes(packed, "little")
        return cls(tuple(class_correct.tolist()), float(loss), len(labels), hits)

    def __add__(self, other: "Tally") -> "Tally":
        if not self.images:
            return other
        if not other.images:
            return self
        pairs = zip(self.class_correct, other.class_correct, strict=True)
        class_correct = tuple(a + b for a, b in pairs)
        hits = None
        if self.hits is not None and other.hits is not None:
            hits = self.hits | other.hits << self.images
        return Tally(class_correct, self.loss + other.loss, self.images + other.images, hits)

    @property
    def correct(self) -> int:
        """Correctly classified images of all classes."""
        return sum(self.class_correct)

    @property
    def mean_loss(self) -> float:
        """Mean cross-entropy in nats."""
        return self.loss / self.images

    def accuracy(self, total: int) -> Accuracy:
        """Accuracy on these images, out of a set of ``total``.

        Parameters
        ----------
        total : int
            Images of the whole set.

        Returns
        -------
        Accuracy
            With an interval, unless the tally is of the whole set.
        """
        return Accuracy(self.correct, self.images, total)


def tallies_of(logits: torch.Tensor, labels: torch.Tensor) -> list[Tally]:
    """Count the results of several networks for one batch, on the device of the logits.

    Parameters
    ----------
    logits : torch.Tensor
        Outputs of the networks, of shape (members, N, classes).
    labels : torch.Tensor
        Indices of the true classes, of shape (N,).

    Returns
    -------
    list of Tally
        One for each member, as `Tally.of` counts it.
    """
    is_correct = logits.argmax(2) == labels
    is_class = F.one_hot(labels, logits.shape[2]).float()
    class_correct = (is_correct.float() @ is_class).long().tolist()  # whole numbers below 2**24
    entropies = F.cross_entropy(logits.flatten(0, 1), labels.repeat(len(logits)), reduction="none")
    losses = entropies.view(is_correct.shape).sum(1).tolist()
    packed = np.packbits(is_correct.cpu().numpy(), axis=1, bitorder="little")
    tallies = []
    for member, row in enumerate(packed):
        hits = int.from_bytes(row.tobytes(), "little")
        tallies.append(Tally(tuple(class_correct[member]), losses[member], len(labels), hits))
    return tallies
