# ruff: noqa: E402
"""`make bench`: what must be fast, each beside the plain PyTorch way of doing it, on one machine.

``python -m tests.benchmarks.bench --only PATTERN`` prints only rows whose name contains PATTERN;
parts without any such row are left out.

The plain way, as most pruning code has it: `torch.nn.utils.prune` on a copy of the network, test
images from torchvision's own dataset through a DataLoader with ToTensor and Normalize.
"""

from pruning.runtime.process import COMMAND_SPIN_COUNT, configure_process

configure_process(COMMAND_SPIN_COUNT)  # before torch is imported

import argparse
import copy
import json
import statistics
import time
from collections.abc import Callable
from urllib.parse import quote

import numpy as np
import torch
import torchvision
from torch.nn.utils import prune
from torch.utils.data import DataLoader, Subset
from torchvision import transforms
from torchvision.datasets import VisionDataset

from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.engine import store
from pruning.engine.evaluate import evaluate
from pruning.engine.masked_network import MaskedNetwork
from pruning.engine.prune import prune as prune_recipe
from pruning.engine.prune import rank_network, rank_units, trained_model, unit_groups
from pruning.experiments.budgets import Budget, match_budget
from pruning.experiments.removal_report import report_removal
from pruning.methods.ranking import Ranking
from pruning.methods.rules import RULES
from pruning.methods.units import METHODS, UnitGroup
from pruning.models import NETWORKS, checkpoints, prunable
from pruning.recipe.compatibility import criteria_for, scopes_for
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_to_dict
from tests.benchmarks import cluster, commands, engine, gpu, planner, training


def nothing() -> None:
    """Prepare nothing."""


def medians(
    values: list[float],
    *works: Callable[[float], object],
    prepare: Callable[[], object] = nothing,
) -> list[float]:
    """Median seconds of each ``work(value)``, in turns, so that a busy machine hits all.

    A first call does not count; ``prepare()`` runs before each call and is not timed.
    """
    taken: list[list[float]] = [[] for _ in works]
    for work in works:
        prepare()
        work(values[-1])
    for value in values:
        for work, times in zip(works, taken, strict=True):
            prepare()
            began = time.perf_counter()
            work(value)
            times.append(time.perf_counter() - began)
    return [statistics.median(times) for times in taken]


class _InMemory:
    """A dataset of torchvision around arrays in memory; it returns an image as it always does."""

    def __init__(self, data, targets, transform: Callable):
        VisionDataset.__init__(self, root="", transform=transform)
        self.data, self.targets = data, targets


class MNIST(_InMemory, torchvision.datasets.MNIST):
    pass


class CIFAR10(_InMemory, torchvision.datasets.CIFAR10):
    pass


def plain_images(dataset: str) -> torch.utils.data.Dataset:
    """The test set as the plain way has it; the built-in digits are returned like MNIST's."""
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
    """A slider move on 11 million weights: our search, and the peer's pass over the weights."""
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
            lambda value, rule=rule, scope=scope: rule.select(ranking, value, scope),
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
    """Once per criterion, on 1,024 images; and the loss change beside a plain loop."""
    datasets.calibration(dataset, 1024)
    taken = {}
    for method in METHODS:
        for criterion in criteria_for(network, method):
            if criterion != "loss_change":
                began = time.perf_counter()
                rank_units(Recipe.one_step(network, dataset, method=method, criterion=criterion))
                taken[f"{method}s by {criterion}"] = time.perf_counter() - began
    slowest = max(taken, key=taken.get)
    row(f"scoring, {network} on {dataset}, the slowest of {len(taken)}: {slowest}", taken[slowest])
    method = "layer" if NETWORKS[network].slow else "filter"
    recipe = Recipe.one_step(network, dataset, method=method, criterion="loss_change")
    began = time.perf_counter()
    rank_units(recipe)
    ours = time.perf_counter() - began
    began = time.perf_counter()
    found = leave_one_out(recipe)
    theirs = time.perf_counter() - began
    ranked = rank_units(recipe)
    for name, group in ranked.items():
        assert np.allclose(group.scores, found[name], atol=1e-4), "the peer finds other losses"
    row(
        f"loss change of all {ranked.units} {method}s, {network} on {dataset}",
        ours,
        "a masked copy and all stages for each",
        theirs,
    )


def greedy_scoring(network: str, dataset: str) -> None:
    """Weights by greedy OBS on 1,024 images, beside OBS for each weight alone."""
    datasets.calibration(dataset, 1024)
    seconds = []
    for variant in ("greedy", "single"):
        recipe = Recipe.one_step(network, dataset, criterion="obs", variant=variant)
        dense = MaskedNetwork(trained_model(recipe))
        began = time.perf_counter()
        rank_network(recipe, dense)
        seconds.append(time.perf_counter() - began)
    row(f"OBS greedy, {network} on {dataset}", seconds[0], "each weight alone", seconds[1])


def leave_one_out(recipe: Recipe) -> dict[str, list[float]]:
    images, data = (
        datasets.calibration(recipe.dataset, recipe.calibration),
        DATASETS[recipe.dataset],
    )
    x, y = datasets.normalise(images.pixels, data).split(256), images.labels.split(256)
    trained, groups = trained_model(recipe), unit_groups(recipe)

    def loss(model: torch.nn.Module) -> float:
        with torch.no_grad():
            total = sum(
                float(torch.nn.functional.cross_entropy(model(a), b, reduction="sum"))
                for a, b in zip(x, y, strict=True)
            )
        return total / len(images)

    dense, found = loss(trained), {}
    for name, group in groups.items():
        found[name] = []
        for unit in range(group.units):
            model = copy.deepcopy(trained)
            for key, kept in (
                METHODS[recipe.last_step.method]
                .masks_for(model, group, torch.arange(group.units) == unit)
                .items()
            ):
                model.get_parameter(key).mul_(kept)
            found[name].append(loss(model) - dense)
    return found


def recovery(network: str, dataset: str) -> None:
    """Reconstruction of half of the weights, and of a third of the filters, on 1,024 images.

    The first is the slowest: each output has a support of its own, of half of its inputs.
    """
    datasets.calibration(dataset, 1024)
    steps = {
        "half of the weights": {"value": 0.5},
        "30% of the filters": {"method": "filter", "scope": "layer", "value": 0.3},
    }
    for label, step in steps.items():
        times = []
        for change in (0.0, 0.001, 0.002):  # recoveries are cached
            changed = {**step, "value": step["value"] + change}
            recipe = Recipe.one_step(network, dataset, recovery=("reconstruct",), **changed)
            times.append(prune_recipe(recipe).recover().seconds)
        row(f"reconstruction, {network} on {dataset}, {label}", statistics.median(times))


def removed_resnet() -> None:
    """A ResNet-20 reduced to a quarter of its MACs, beside the dense one, in turns."""
    recipe = Recipe.one_step(
        "resnet20", "digits", method="filter", grouping="across", scope="layer"
    )
    recipe = match_budget(recipe, Budget("macs", 0.25)).recipe
    report = report_removal(recipe, seconds=3.0)
    share = prune_recipe(recipe).effective.macs / report.dense.macs
    for dense, removed in zip(report.dense.latency, report.removed.latency, strict=True):
        row(
            f"ResNet-20 at {share:.0%} of its MACs, batch {removed.batch}",
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
    """Compare's slider: seconds until three columns are shown; for a slow network, estimated."""
    from tests.benchmarks.latency import column_latencies
    from tests.browser.conftest import chromium, serving, settle

    recipes = [
        Recipe.one_step(network, dataset),
        Recipe.one_step(network, dataset, method="neuron", criterion="activation", scope="layer"),
        Recipe.one_step(network, dataset, method="filter", scope="layer"),
    ]
    columns = quote(json.dumps([recipe_to_dict(recipe) for recipe in recipes]))
    with serving() as address, chromium() as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.goto(f"{address}/compare?budget=macs=0.9&columns={columns}")
        settle(page)
        page.wait_for_timeout(5000)
        return column_latencies(page)


only = ""
"""Rows are printed whose name contains this text."""


def row(work: str, ours: float, peer: str = "", theirs: float = 0.0) -> None:
    if only not in work:
        return
    ratio = f"{theirs / ours:8.1f}x" if theirs else ""
    their_time = f"{1000 * theirs:10.1f} ms" if theirs else ""
    print(f"{work:62} {1000 * ours:10.2f} ms   {peer:44} {their_time:13} {ratio}", flush=True)


def is_selected(*names: str) -> bool:
    """Whether a part of the benchmark may have a selected row, by fixed words of its rows."""
    return not only or any(only in name or name in only for name in names)


def mask_and_accuracy(network: str, dataset: str) -> None:
    """Masks and accuracy of a new recipe; the store is emptied before each call, untimed."""
    recipe, peer = Recipe(network, dataset), plain_way(network, dataset)
    images = DATASETS[dataset].test_images
    mine, its = {}, {}

    def measure(value: float) -> None:
        [evaluation] = evaluate([recipe.with_last_step(value=value)])
        mine[value] = evaluation.accuracy.value

    def measure_peer(value: float) -> None:
        its[value] = peer(value)

    values = [0.5, 0.7, 0.9]
    with engine.empty_store():
        ours, theirs = medians(values, measure, measure_peer, prepare=store.clear)
    # An image may lie on the border between two classes, where another order of adding tips it.
    differences = [abs(mine[value] - its[value]) for value in values]
    assert max(differences) <= 2 / images, "the peer measures another accuracy"
    name = f"mask and accuracy, {network} on {dataset}, {images:,} images"
    row(name, ours, "prune, DataLoader, ToTensor", theirs)


def main() -> None:
    global only
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="PATTERN", help="part of a row's name")
    only = parser.parse_args().only
    print(f"{torch.get_num_threads()} threads, PyTorch {torch.__version__}\n")
    if is_selected("slider move: the choice, slowest rule and scope"):
        ours, theirs = search_in_11_million()
        row(
            "slider move: the choice, slowest rule and scope",
            ours,
            "topk over all weights",
            theirs,
        )
    for network, dataset in checkpoints.shipped():
        if not datasets.available(dataset):
            print(f"{network} on {dataset}: skipped, {dataset} is not in {datasets.data_dir()}")
        elif is_selected(f"mask and accuracy, {network} on {dataset}"):
            mask_and_accuracy(network, dataset)
    if is_selected("ResNet-20 at"):
        removed_resnet()
    for network, dataset in checkpoints.shipped():
        names = (f"scoring, {network} on {dataset}", "loss change of all")
        if dataset != "digits" and datasets.available(dataset) and is_selected(*names):
            scoring(network, dataset)
    if datasets.available("cifar10") and is_selected("OBS greedy, resnet20 on cifar10"):
        greedy_scoring("resnet20", "cifar10")
    for network, dataset in checkpoints.shipped():
        is_chosen = is_selected(f"reconstruction, {network} on {dataset}")
        if dataset != "digits" and datasets.available(dataset) and is_chosen:
            recovery(network, dataset)
    if datasets.available("mnist") and is_selected(*engine.NAMES):
        engine.rows(row, plain_way)
    if is_selected(*planner.names()):
        planner.rows(row, is_selected)
    if is_selected(*training.names()):
        training.rows(row, is_selected)
    if is_selected(*cluster.names()):
        cluster.rows(row, is_selected)
    if is_selected(*gpu.names()):
        gpu.rows(row, is_selected)
    if is_selected(*commands.NAMES):
        commands.rows(row)
    browsed = [("digits", "network=lenet5&sparsity=0.8", "LeNet-5 on digits")]
    if datasets.available("mnist"):
        for network, name in (("lenet5", "LeNet-5"), ("lenet300", "LeNet-300-100")):
            query = f"network={network}&sparsity=0.8"
            browsed.append(("mnist", query, f"{name} on MNIST, 10,000 images"))
    for dataset, query, label in browsed:
        if not is_selected(f"key press to repaint in Chromium, {label}"):
            continue
        middle, slow = in_the_browser(dataset, query)
        row(f"key press to repaint in Chromium, {label}: median", middle)
        row(f"key press to repaint in Chromium, {label}: 95th percentile", slow)
    for network, dataset in (("lenet5", "mnist"), ("resnet20", "cifar10")):
        if datasets.available(dataset) and is_selected("Compare, three columns in Chromium"):
            what = "estimates" if NETWORKS[network].slow else "full test set"
            row(
                f"Compare, three columns in Chromium, {network} on {dataset}, {what}: median",
                statistics.median(columns_in_the_browser(dataset, network)),
            )


if __name__ == "__main__":
    main()
