"""Classification of images batch by batch, with replaced parameters, in several threads."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from pruning.data.datasets import Dataset, Images, normalise
from pruning.inference.accuracy import Tally
from pruning.inference.fusion import Operation
from pruning.inference.prefix_cache import cached_prefix_forward
from pruning.inference.shared_prefix import Logits, shared_prefix_tree
from pruning.inference.thread_pool import SuspensionPoint, run_in_threads
from pruning.models.graph_network import GraphNetwork
from pruning.runtime.progress import ShareReport, ignore_progress

# Images per batch, by the first of these modules that a network has. Near the fastest for each kind
# of network on two cores: the outputs of its layers should stay in the processor's cache.
BATCH_SIZE: dict[type[nn.Module], int] = {nn.BatchNorm2d: 100, nn.Conv2d: 500, nn.Linear: 1000}

Replacements = Mapping[str, torch.Tensor]
_Run = Callable[[torch.Tensor, Collection[int]], Iterator[Logits | SuspensionPoint]]

LARGEST_BATCH = 1000
BATCH_BYTES = 128_000_000
"""Limit on the results of steps that are in memory at a time, in each thread."""
BYTES_PER_VALUE = 4


def default_batch_size(model: nn.Module) -> int:
    """Return the number of images per batch for a network.

    Parameters
    ----------
    model : nn.Module
        Any network.

    Returns
    -------
    int
        The entry of `BATCH_SIZE` that fits; fewer for a user's network whose results would take
        more than `BATCH_BYTES`.
    """
    kinds = {type(module) for module in model.modules()}
    usual = next((images for kind, images in BATCH_SIZE.items() if kind in kinds), LARGEST_BATCH)
    if not isinstance(model, GraphNetwork):
        return usual
    return max(1, min(usual, BATCH_BYTES // (BYTES_PER_VALUE * model.peak_values)))


@dataclass(frozen=True)
class BatchTally:
    """The tally of one batch for one member.

    Attributes
    ----------
    member : int
        Index of its replacements.
    tally : Tally
        Result of the batch.
    """

    member: int
    tally: Tally


class ReorderBuffer:
    """Puts the tallies of each member into the order of the batches.

    Parameters
    ----------
    first_batches : sequence of int
        For each member, the number of its first batch.
    """

    def __init__(self, first_batches: Sequence[int]):
        self._next_batch = list(first_batches)
        self._waiting: list[dict[int, Tally]] = [{} for _ in first_batches]

    def add(self, batch: int, item: BatchTally) -> Iterator[BatchTally]:
        """Add a tally, and yield those of its member whose earlier batches have all arrived.

        Parameters
        ----------
        batch : int
            Number of the batch.
        item : BatchTally
            The tally of the batch for one member.

        Yields
        ------
        BatchTally
            In the order of the batches.
        """
        member = item.member
        waiting = self._waiting[member]
        waiting[batch] = item.tally
        while self._next_batch[member] in waiting:
            tally = waiting.pop(self._next_batch[member])
            self._next_batch[member] += 1
            yield BatchTally(member, tally)


def _never(member: int) -> bool:
    return False


def classify(
    model: nn.Module,
    replacements: Sequence[Replacements],
    images: Images,
    dataset: Dataset,
    *,
    skip: Sequence[int] = (),
    is_done: Callable[[int], bool] = _never,
    batch_size: int | None = None,
    max_threads: Callable[[], int] | None = None,
) -> Iterator[BatchTally | SuspensionPoint]:
    """Classify images with one or more replacements of a network's parameters.

    No member is more batches ahead of another than there are threads, so that each has an estimate
    soon. A single member uses the prefix cache, from which later calls benefit; several members
    share the stages in which they agree.

    Parameters
    ----------
    model : nn.Module
        A network in eval mode. It is not modified.
    replacements : sequence of mappings from str to torch.Tensor
        For each member, replacements of parameters and buffers, by name, and the mask ``input``.
    images : Images
        The images and their labels.
    dataset : Dataset
        Gives the mean and standard deviation of the pixels.
    skip : sequence of int
        For each member, the number of first images to leave out, a multiple of ``batch_size``;
        default: none.
    is_done : callable
        Whether a member needs no more images. It must not become False again.
    batch_size : int, optional
        Images per batch; default: `default_batch_size`.
    max_threads : callable, optional
        As of `run_in_threads`.

    Yields
    ------
    BatchTally or SuspensionPoint
        For each member, the tallies of its batches in order, until it is done; and suspension
        points, at which the caller may do other work.
    """
    size = batch_size or default_batch_size(model)
    skip = list(skip) or [0] * len(replacements)
    first = min(skip, default=0)
    run = _forward_of_members(model, replacements, partial(normalise, dataset=dataset), len(images))

    def starts() -> Iterator[int]:
        for start in range(first, len(images), size):
            if all(map(is_done, range(len(replacements)))):
                return
            yield start

    def classify_batch(start: int) -> Iterator[BatchTally | SuspensionPoint]:
        pixels = images.pixels[start : start + size]
        labels = images.labels[start : start + size]
        members = [i for i, count in enumerate(skip) if count <= start and not is_done(i)]
        for item in run(pixels, members):
            if isinstance(item, Logits):
                yield BatchTally(item.member, Tally.of(item.values, labels))
            else:
                yield item

    buffer = ReorderBuffer([(count - first) // size for count in skip])
    for number, item in run_in_threads(map(classify_batch, starts()), max_threads):
        if isinstance(item, SuspensionPoint):
            yield item
            continue
        for ordered in buffer.add(number, item):
            if not is_done(ordered.member):
                yield ordered


def _forward_of_members(
    model: nn.Module, replacements: Sequence[Replacements], prepare: Operation, images: int
) -> _Run:
    """From a batch and the members to compute, to their logits."""
    if len(replacements) != 1:
        return shared_prefix_tree(model, replacements, prepare).run
    network = cached_prefix_forward(model, replacements[0], prepare, images)

    def run(batch: torch.Tensor, members: Collection[int]) -> Iterator[Logits | SuspensionPoint]:
        for member in members:
            yield Logits(member, network(batch))

    return run


def accuracy_of(
    model: nn.Module,
    images: Images,
    dataset: Dataset,
    *,
    report: ShareReport = ignore_progress,
) -> float:
    """Measure the accuracy of a network with its own parameters, in eval mode.

    Parameters
    ----------
    model : nn.Module
        The network; it is in the same mode afterwards as before.
    images : Images
        The images and their labels.
    dataset : Dataset
        Gives the mean and standard deviation of the pixels.
    report : callable
        Called with the share of the images that are classified.

    Returns
    -------
    float
        Correct / all images, from 0 to 1.
    """
    training = model.training
    model.eval()
    total = Tally()
    try:
        for item in classify(model, [{}], images, dataset):
            if isinstance(item, BatchTally):
                total += item.tally
                report(total.images / len(images))
    finally:
        model.train(training)
    return total.correct / len(images)
