"""Accuracy: correct / total, measured batch by batch on masked parameters, never in place."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from pruning.datasets import Dataset, Images, normalise
from pruning.inference import reusing


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
        from scipy.stats import binomtest

        low, high = binomtest(self.correct, self.images).proportion_ci(0.95, "wilson")
        return float(low), float(high)


def count_correct(model: nn.Sequential, parameters: Mapping[str, torch.Tensor], images: Images, dataset: Dataset, *,
                  batch: int = 250) -> Iterator[torch.Tensor]:
    """Classify ``images`` and yield the number of correct ones of each class (classes,), batch by batch as it comes.

    Parameters
    ----------
    model : in eval mode; it is not modified
    parameters : replacements for some of its parameters, by name
    batch : images at a time; 250 is near the best for every network here on two cores
    """
    network = reusing(model, parameters, lambda pixels: normalise(pixels, dataset), len(images))
    for start in range(0, len(images), batch):
        with torch.inference_mode():
            logits = network(images.pixels[start:start + batch])  # (B, classes)
            labels = images.labels[start:start + batch]
            correct = torch.bincount(labels[logits.argmax(1) == labels], minlength=len(dataset.classes))
        yield correct


def accuracy(model: nn.Module, images: Images, dataset: Dataset) -> float:
    """Correct / total of the network as it is, in eval mode, as a fraction."""
    training = model.training
    model.eval()
    correct = int(sum(count_correct(model, {}, images, dataset)).sum())
    model.train(training)
    return correct / len(images)
