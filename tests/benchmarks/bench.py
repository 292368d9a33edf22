"""`make bench`: what must be fast, each beside the plain PyTorch way of doing it, in one run on one machine.

The plain way, as most pruning code has it: `torch.nn.utils.prune` on a copy of the network, test images from torchvision's
own dataset through a DataLoader with ToTensor and Normalize.
"""

import copy
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

import numpy as np
import torch
import torchvision
from torch.nn.utils import prune
from torch.utils.data import DataLoader, Subset
from torchvision import transforms
from torchvision.datasets import VisionDataset

from pruning.cost.report import ledger
from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.engine import prune as experiment
from pruning.experiments.comparison import Budget, matched
from pruning.methods.ranking import Ranking
from pruning.methods.rules import RULES, scopes_for
from pruning.methods.units import METHODS, UnitGroup
from pruning.models import NETWORKS, checkpoints, prunable
from pruning.recipe.recipe import Recipe, criteria_for
from tests.benchmarks import engine


def medians(values: list[float], *works: Callable[[float], object]) -> list[float]:
    """Median seconds of each ``work(value)``, in turns, so that a busy machine hits all; a first call does not count."""
    taken: list[list[float]] = [[] for _ in works]
    for work in works:
        work(values[-1])
    for value in values:
        for work, times in zip(works, taken):
            began = time.perf_counter()
            work(value)
            times.append(time.perf_counter() - began)
    return [statistics.median(times) for times in taken]


class _InMemory:
    """torchvision's dataset around arrays that are in memory already; how it hands out an image stays its own."""

    def __init__(self, data, targets, transform: Callable):
        VisionDataset.__init__(self, root="", transform=transform)
        self.data, self.targets = data, targets


class MNIST(_InMemory, torchvision.datasets.MNIST):
    pass


class CIFAR10(_InMemory, torchvision.datasets.CIFAR10):
    pass


def plain_images(dataset: str) -> torch.utils.data.Dataset:
    """The test set as the plain way has it. The built-in digits, which torchvision has not, are handed out like MNIST's."""
    images, about = datasets.load(dataset, "test"), DATASETS[dataset]
    transform = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize(about.mean, about.std)]
    )
    if about.channels == 1:
        return MNIST(images.pixels[:, 0], images.labels, transform)
    return CIFAR10(images.pixels.permute(0, 2, 3, 1).numpy(), images.labels.tolist(), transform)


def plain_way(network: str, dataset: str, images: int | None = None) -> Callable[[float], float]:
    every = plain_images(dataset)
    loader = DataLoader(Subset(every, range(images)) if images else every, batch_size=250)
    trained = checkpoints.load(network, dataset).to(memory_format=torch.contiguous_format)

    def point(sparsity: float) -> float:
        model = copy.deepcopy(trained)
        prune.global_unstructured(
            [(layer, "weight") for layer in prunable(model).values()],
            prune.L1Unstructured,
            amount=sparsity,
        )
        correct = 0
        with torch.no_grad():
            for x, y in loader:
                correct += int((model(x).argmax(1) == y).sum())
        return correct / len(loader.dataset)

    return point


def search_in_11_million() -> tuple[float, float]:
    """A slider move on ResNet-18's 11 million weights: our search, and the peer's pass over the weights."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(64, 3, 7, 7)] + [(512, 512, 3, 3)] * 4 + [(256, 256, 3, 3)] * 2 + [(512, 256, 3, 3)]
    weights = {
        f"conv{i}": torch.randn(shape, generator=generator) for i, shape in enumerate(shapes)
    }
    groups = {name: UnitGroup(name, tuple(w.shape), (name,)) for name, w in weights.items()}
    ranking = Ranking.of({name: w.abs() for name, w in weights.items()}, groups, weights=weights)
    values = np.linspace(0.05, 0.95, 31).tolist()
    ours = max(
        medians(
            [rule.interpolate(ranking, v) for v in values],
            lambda value: rule.select(ranking, value, scope),
        )[0]
        for rule in RULES.values()
        if not rule.patterns
        for scope in scopes_for(rule.name, "weight")
    )

    def threshold(sparsity: float) -> None:
        every = torch.cat([w.abs().flatten() for w in weights.values()])
        torch.topk(every, round(sparsity * len(every)), largest=False)

    print(f"({ranking.units:,} weights in the first row)")
    return ours, medians(values[::10], threshold)[0]


def scoring(network: str, dataset: str) -> None:
    """Once per criterion, on 1,024 calibration images; and the exact loss change beside the loop that computes all anew."""
    datasets.calibration(dataset, 1024)
    taken = {}
    for method in METHODS:
        for criterion in criteria_for(network, method):
            if criterion != "loss_change":
                began = time.perf_counter()
                experiment.ranking(Recipe(network, dataset, method=method, criterion=criterion))
                taken[f"{method}s by {criterion}"] = time.perf_counter() - began
    slowest = max(taken, key=taken.get)
    row(f"scoring, {network} on {dataset}, the slowest of {len(taken)}: {slowest}", taken[slowest])
    method = "layer" if NETWORKS[network].slow else "filter"
    recipe = Recipe(network, dataset, method=method, criterion="loss_change")
    began = time.perf_counter()
    experiment.ranking(recipe)
    ours = time.perf_counter() - began
    began = time.perf_counter()
    found = leave_one_out(recipe)
    theirs = time.perf_counter() - began
    ranked = experiment.ranking(recipe)
    for name, group in ranked.items():
        assert np.allclose(group.scores, found[name], atol=1e-4), "the peer finds other losses"
    row(
        f"loss change of all {ranked.units} {method}s, {network} on {dataset}",
        ours,
        "a masked copy and all stages for each",
        theirs,
    )


def leave_one_out(recipe: Recipe) -> dict[str, list[float]]:
    images, data = (
        datasets.calibration(recipe.dataset, recipe.calibration),
        DATASETS[recipe.dataset],
    )
    x, y = datasets.normalise(images.pixels, data).split(256), images.labels.split(256)
    trained, groups = experiment.model(recipe), experiment.groups_of(recipe)

    def loss(model: torch.nn.Module) -> float:
        with torch.no_grad():
            total = sum(
                float(torch.nn.functional.cross_entropy(model(a), b, reduction="sum"))
                for a, b in zip(x, y)
            )
        return total / len(images)

    dense, found = loss(trained), {}
    for name, group in groups.items():
        found[name] = []
        for unit in range(group.units):
            model = copy.deepcopy(trained)
            for key, kept in (
                METHODS[recipe.method]
                .masks_for(model, group, torch.arange(group.units) == unit)
                .items()
            ):
                model.get_parameter(key).mul_(kept)
            found[name].append(loss(model) - dense)
    return found


def removed_resnet() -> None:
    """A ResNet-20 at a quarter of its MACs, taken out for good, beside the dense one: the same images in turns."""
    recipe = Recipe("resnet20", "digits", method="filter", grouping="across", scope="layer")
    column = matched(recipe, Budget("macs", 0.25))
    book = ledger(column.recipe, seconds=3.0)
    for dense, removed in zip(book.dense.latency, book.removed.latency):
        row(
            f"ResNet-20 at {column.left.macs / book.dense.macs:.0%} of its MACs, batch {removed.batch}",
            removed.median,
            "dense",
            dense.median,
        )


def in_the_browser(dataset: str, query: str) -> tuple[float, float]:
    from tests.benchmarks.latency import slider_latencies, summary
    from tests.browser.conftest import chromium, serving, settle

    with serving() as address, chromium() as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.goto(f"{address}/?dataset={dataset}&{query}")
        settle(page)
        page.wait_for_timeout(3000)
        return summary(slider_latencies(page))


def columns_in_the_browser(dataset: str, network: str) -> list[float]:
    """Compare's shared slider: seconds until all three columns stand; of a slow network, until all have an estimate."""
    from tests.benchmarks.latency import column_latencies
    from tests.browser.conftest import chromium, serving, settle

    recipes = [
        Recipe(network, dataset),
        Recipe(network, dataset, method="neuron", criterion="activation", scope="layer"),
        Recipe(network, dataset, method="filter", scope="layer"),
    ]
    columns = quote(json.dumps([recipe.to_dict() for recipe in recipes]))
    with serving() as address, chromium() as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.goto(f"{address}/compare?budget=macs=0.9&columns={columns}")
        settle(page)
        page.wait_for_timeout(5000)
        return column_latencies(page)


def row(work: str, ours: float, peer: str = "", theirs: float = 0.0) -> None:
    ratio = f"{theirs / ours:8.1f}x" if theirs else ""
    print(
        f"{work:62} {1000 * ours:10.2f} ms   {peer:44} {f'{1000 * theirs:10.1f} ms' if theirs else '':13} {ratio}",
        flush=True,
    )


def main() -> None:
    print(f"{torch.get_num_threads()} threads, PyTorch {torch.__version__}\n")
    ours, theirs = search_in_11_million()
    row("slider move: the choice, slowest rule and scope", ours, "topk over all weights", theirs)
    values = [0.5, 0.7, 0.9]
    for network, dataset in checkpoints.shipped():
        if not datasets.available(dataset):
            print(f"{network} on {dataset}: skipped, {dataset} is not in {datasets.data_dir()}")
            continue
        recipe, peer = Recipe(network, dataset), plain_way(network, dataset)
        images = DATASETS[dataset].test_images
        mine, its = {}, {}
        ours, theirs = medians(
            values,
            lambda v: mine.update({v: experiment.run(replace(recipe, value=v)).accuracy.value}),
            lambda v: its.update({v: peer(v)}),
        )
        # An image may lie on the border between two classes, where another order of adding tips it.
        assert all(abs(mine[v] - its[v]) <= 2 / images for v in values), (
            "the peer measures another accuracy"
        )
        row(
            f"mask and accuracy, {network} on {dataset}, {images:,} images",
            ours,
            "prune, DataLoader, ToTensor",
            theirs,
        )
    removed_resnet()
    for network, dataset in checkpoints.shipped():
        if dataset != "digits" and datasets.available(dataset):
            scoring(network, dataset)
    if datasets.available("mnist"):
        engine.rows(row, plain_way)
    browsed = [("digits", "network=lenet5&sparsity=0.8", "LeNet-5 on digits")]
    if datasets.available("mnist"):
        browsed.append(("mnist", "network=lenet5&sparsity=0.8", "LeNet-5 on MNIST, 10,000 images"))
    for dataset, query, label in browsed:
        middle, slow = in_the_browser(dataset, query)
        row(f"key press to repaint in Chromium, {label}: median", middle)
        row(f"key press to repaint in Chromium, {label}: 95th percentile", slow)
    for network, dataset in (("lenet5", "mnist"), ("resnet20", "cifar10")):
        if datasets.available(dataset):
            what = "estimates" if NETWORKS[network].slow else "full test set"
            row(
                f"Compare, three columns in Chromium, {network} on {dataset}, {what}: median",
                statistics.median(columns_in_the_browser(dataset, network)),
            )


if __name__ == "__main__":
    main()
