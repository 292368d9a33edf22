"""Logits of single images, batch by batch, in several threads."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from pruning.data.datasets import Dataset, Images, normalise
from pruning.inference.classify import Replacements, default_batch_size
from pruning.inference.prefix_cache import forward
from pruning.inference.thread_pool import SuspensionPoint, run_in_threads


@dataclass(frozen=True, eq=False)
class BatchLogits:
    """The outputs of a network for one batch.

    Parameters
    ----------
    start : int
        Index of the first image of the batch.
    values : torch.Tensor
        (N, classes) float32.
    """

    start: int
    values: torch.Tensor


def predict_batches(
    model: nn.Module,
    replacements: Replacements,
    images: Images,
    dataset: Dataset,
    first: int = 0,
    last: int | None = None,
) -> Generator[BatchLogits | SuspensionPoint, None, None]:
    """Compute logits as `pruning.inference.classify.classify` does, without its caches.

    Parameters
    ----------
    model : nn.Module
        A network in eval mode. It is not modified.
    replacements : mapping of str to torch.Tensor
        Replacements of parameters and buffers, by name, and the mask ``input``.
    images : Images
        The images and their labels.
    dataset : Dataset
        Gives the mean and standard deviation of the pixels.
    first : int
        Index of the first image, a multiple of the batch size of the network.
    last : int, optional
        Index after the last image; by default that of all images.

    Yields
    ------
    BatchLogits or SuspensionPoint
        In the order in which the threads finish.
    """
    size = default_batch_size(model)
    end = len(images) if last is None else min(last, len(images))
    network = forward(model, replacements)

    def predict(start: int) -> Iterator[BatchLogits | SuspensionPoint]:
        stop = min(start + size, end)
        yield BatchLogits(start, network(normalise(images.pixels[start:stop], dataset)))

    for _, item in run_in_threads(map(predict, range(first, end, size))):
        yield item
