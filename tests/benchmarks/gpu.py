"""A sweep on a GPU beside the processor and the plain loop on the same GPU; in `make bench`."""

import time
from collections.abc import Callable

import torch
from torch import nn

from pruning.data import datasets
from pruning.data.datasets import DATASETS, Images, normalise
from pruning.engine.prune import prune
from pruning.inference.classify import BatchTally, Replacements, classify, default_batch_size
from pruning.inference.stacked import classify_stacked
from pruning.recipe.recipe import Recipe

SUBJECTS = (("lenet5", "mnist", 60), ("resnet20", "cifar10", 24))
"""Network, dataset, and number of points of a curve."""


def name_of(network: str, dataset: str) -> str:
    return f"a point on a GPU, {network} on {dataset}"


def names() -> list[str]:
    return [name_of(network, dataset) for network, dataset, _ in SUBJECTS]


def rows(row: Callable, is_selected: Callable[..., bool]) -> None:
    """Measure the points of a curve stacked, one after the other, and on the processor."""
    if not torch.cuda.is_available():
        print("a point on a GPU: skipped, PyTorch finds no GPU here")
        return
    for network, dataset, count in SUBJECTS:
        name = name_of(network, dataset)
        if is_selected(name) and datasets.available(dataset):
            compare(row, name, network, dataset, count, torch.device("cuda"))


def compare(
    row: Callable, name: str, network: str, dataset: str, count: int, device: torch.device
) -> None:
    """Check that the three ways agree, and show their seconds a point."""
    masked = []
    for index in range(count):
        recipe = Recipe.one_step(network, dataset, value=index / count)
        masked.append(prune(recipe).network)
    model = masked[0].model
    replacements = [each.masked_parameters() for each in masked]
    images = datasets.load(dataset, "test")
    ways = {
        "stacked": lambda: _stacked(model, replacements, images, dataset, device),
        "one network after the other": lambda: _loop(model, masked, images, dataset, device),
        "on the processor": lambda: _processor(model, replacements, images, dataset),
    }
    seconds, counts = {}, {}
    for way, work in ways.items():
        if way != "on the processor":
            work()  # cuDNN has chosen its algorithms, and the memory is there
        began = time.perf_counter()
        counts[way] = work()
        seconds[way] = (time.perf_counter() - began) / count
    for peer in ("one network after the other", "on the processor"):
        pairs = zip(counts["stacked"], counts[peer], strict=True)
        assert max(abs(one - other) for one, other in pairs) <= 2, "they do not agree"
        row(f"{name}, {peer}", seconds["stacked"], peer, seconds[peer])


def _stacked(
    model: nn.Module,
    replacements: list[Replacements],
    images: Images,
    dataset: str,
    device: torch.device,
) -> list[int]:
    correct = [0] * len(replacements)
    for item in classify_stacked(
        model,
        replacements,
        images,
        DATASETS[dataset],
        device=device,
        skip=correct.copy(),
        is_done=lambda member: False,
    ):
        correct[item.member] += item.tally.correct
    return correct


def _processor(
    model: nn.Module, replacements: list[Replacements], images: Images, dataset: str
) -> list[int]:
    correct = [0] * len(replacements)
    for item in classify(model, replacements, images, DATASETS[dataset]):
        if isinstance(item, BatchTally):
            correct[item.member] += item.tally.correct
    return correct


def _loop(
    model: nn.Module, masked: list, images: Images, dataset: str, device: torch.device
) -> list[int]:
    """What a user of PyTorch would write: a network at a time, large batches, one count each."""
    batch = max(1000, default_batch_size(model))
    pixels, labels = images.pixels.to(device), images.labels.to(device)
    correct = []
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        for network in masked:
            own = network.copy().to(device)
            found = torch.zeros((), dtype=torch.long, device=device)
            for start in range(0, len(pixels), batch):
                x = normalise(pixels[start : start + batch], DATASETS[dataset])
                found += (own(x).argmax(1) == labels[start : start + batch]).sum()
            correct.append(int(found))
    return correct
