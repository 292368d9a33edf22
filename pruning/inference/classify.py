"""Accuracy: correct / total, measured batch by batch on masked parameters, never in place."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile

import torch
from torch import nn
from torch.nn import functional as F

from pruning.data.datasets import Dataset, Images, normalise
from pruning.inference.prefix_cache import cached_prefix_forward, shared_prefix_forward
from pruning.inference.thread_pool import run_in_threads

Z_95 = 1.959963984540054  # 95% of a normal distribution lie so many standard deviations around its mean
DEEP, CONVOLUTIONS, LINEAR = (
    100,
    250,
    1000,
)  # images at a time: near the best for each kind of network on two cores


def batch_of(model: nn.Module) -> int:
    """How many images to show a network at a time: the outputs of its layers should stay in the processor's cache."""
    kinds = {type(module) for module in model.modules()}
    return DEEP if nn.BatchNorm2d in kinds else CONVOLUTIONS if nn.Conv2d in kinds else LINEAR


@dataclass(frozen=True)
class Accuracy:
    """``correct`` of the ``images`` that were classified, out of a test set of ``total``."""

    correct: int
    images: int
    total: int

    @property
    def value(self) -> float:
        return self.correct / self.images

    @property
    def complete(self) -> bool:
        return self.images == self.total

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95% score interval (1927); of the full set the measured value itself, twice."""
        if self.complete:
            return self.value, self.value
        n, p, z = self.images, self.value, Z_95  # in closed form: a sweep asks for thousands
        middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, (middle - half) / (1 + z * z / n)), min(
            1.0, (middle + half) / (1 + z * z / n)
        )

    @property
    def half_width(self) -> float:
        """Of the interval: 0 for the full set."""
        low, high = self.interval
        return (high - low) / 2


@dataclass(frozen=True)
class Tally:
    """What some first images of a split have shown: correct ones of each class, and the sum of their cross-entropies in
    nats. More images can be added to it."""

    class_correct: tuple[int, ...] = ()
    loss: float = 0.0
    images: int = 0

    @classmethod
    def of(cls, logits: torch.Tensor, labels: torch.Tensor) -> "Tally":
        """Of one batch: (B, classes) and (B,)."""
        right = torch.bincount(labels[logits.argmax(1) == labels], minlength=logits.shape[1])
        return cls(
            tuple(right.tolist()),
            float(F.cross_entropy(logits, labels, reduction="sum")),
            len(labels),
        )

    def __add__(self, other: "Tally") -> "Tally":
        classes = (
            tuple(map(sum, zip(self.class_correct, other.class_correct)))
            if self.images
            else other.class_correct
        )
        return Tally(classes, self.loss + other.loss, self.images + other.images)

    @property
    def correct(self) -> int:
        return sum(self.class_correct)

    @property
    def mean_loss(self) -> float:
        """Mean cross-entropy in nats."""
        return self.loss / self.images

    def accuracy(self, total: int) -> Accuracy:
        return Accuracy(self.correct, self.images, total)


def tallies(
    model: nn.Sequential,
    parameters: Mapping[str, torch.Tensor],
    images: Images,
    dataset: Dataset,
    *,
    batch: int | None = None,
) -> Iterator[Tally]:
    """Classify ``images`` and yield the tally of each batch as it comes.

    Parameters
    ----------
    model : in eval mode; it is not modified
    parameters : replacements for some of its parameters, by name
    """
    batch = batch or batch_of(model)
    network = cached_prefix_forward(
        model, parameters, lambda pixels: normalise(pixels, dataset), len(images)
    )

    def walk(start: int) -> Iterator[tuple[int, Tally]]:
        yield (
            0,
            Tally.of(
                network(images.pixels[start : start + batch]), images.labels[start : start + batch]
            ),
        )

    yield from (tally for _, tally in _in_order(map(walk, range(0, len(images), batch)), [0]))


def tallies_of_many(
    model: nn.Sequential,
    many: Sequence[Mapping[str, torch.Tensor]],
    images: Images,
    dataset: Dataset,
    *,
    seen: Sequence[int] = (),
    done: Callable[[int], bool] = lambda which: False,
    batch: int | None = None,
) -> Iterator[tuple[int, Tally] | None]:
    """Classify ``images`` with several replacements of parameters at once, and yield (which one, tally of a batch), and None
    in between, so that others can have a turn.

    All of them see a batch before any is as many batches ahead as there are threads, so that everyone has an estimate
    soon; what several have in common up to some stage is computed once a batch. Of each the first ``seen`` images are left out, a multiple of
    ``batch``, and all images that come after it is ``done``.
    """
    batch, seen = batch or batch_of(model), list(seen) or [0] * len(many)
    network, first = (
        shared_prefix_forward(model, many, partial(normalise, dataset=dataset)),
        min(seen, default=0),
    )

    def walk(start: int) -> Iterator[tuple[int, Tally] | None]:
        asked = [i for i, before in enumerate(seen) if before <= start and not done(i)]
        for found in network(images.pixels[start : start + batch], asked):
            yield found and (found[0], Tally.of(found[1], images.labels[start : start + batch]))

    starts = takewhile(
        lambda start: not all(map(done, range(len(many)))), range(first, len(images), batch)
    )
    found = _in_order(map(walk, starts), [(before - first) // batch for before in seen])
    yield from (one for one in found if one is None or not done(one[0]))


def _in_order(
    walks: Iterable[Iterator[tuple[int, Tally] | None]], due: list[int]
) -> Iterator[tuple[int, Tally] | None]:
    """Go through the batches side by side: (which one, tally), of each the batches in order from the one that is ``due``."""
    early: dict[tuple[int, int], Tally] = {}
    for batch, found in run_in_threads(walks):
        if found is None:
            yield None
            continue
        i, early[found[0], batch] = found
        while (i, due[i]) in early:
            tally = early.pop((i, due[i]))
            due[i] += 1
            yield i, tally


def accuracy(model: nn.Module, images: Images, dataset: Dataset) -> float:
    """Correct / total of the network as it is, in eval mode, as a fraction."""
    training = model.training
    model.eval()
    correct = sum(tally.correct for tally in tallies(model, {}, images, dataset))
    model.train(training)
    return correct / len(images)
