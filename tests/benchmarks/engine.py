"""What the engine must reach: many points, partial evaluation, the store; in `make bench`."""

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch

from pruning.cost.macs import cost
from pruning.data import datasets
from pruning.engine import evaluate as sweep
from pruning.engine import prune as experiment
from pruning.experiments import curves as bundle
from pruning.experiments import sensitivity
from pruning.experiments.curves import Bundle
from pruning.recipe.recipe import Recipe
from tests.benchmarks.latency import slider_latencies, summary


@contextmanager
def empty_store():
    """Nothing is known yet."""
    with tempfile.TemporaryDirectory() as folder:
        before = os.environ.get("PRUNESCOPE_STORE")
        os.environ["PRUNESCOPE_STORE"] = f"{folder}/results.sqlite"
        try:
            yield
        finally:
            os.environ.pop("PRUNESCOPE_STORE")
            os.environ |= {"PRUNESCOPE_STORE": before} if before else {}


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def curve(network: str, dataset: str, peer: Callable[[float], float]) -> tuple[float, float]:
    """Twenty points on the full test set: the median of three curves, and the peer's loop over the same, a third of it
    behind each curve, so that a busy machine hits both."""
    values, ours, theirs = np.arange(20) / 20, [], 0.0
    experiment.run(Recipe(network, dataset))  # nobody pays for loading
    peer(0.5)
    for turn in range(3):
        with empty_store():
            recipes = [Recipe(network, dataset, value=float(v) + turn / 1000) for v in values]
            ours.append(timed(lambda recipes=recipes: sweep.measure(recipes)))
        theirs += timed(lambda turn=turn: [peer(float(v)) for v in values[turn::3]])
    return float(np.median(ours)), theirs


def scan(
    network: str, dataset: str, peer: Callable[[float], float], images: int | None
) -> tuple[float, float, int]:
    """All layers at ten levels. The peer's points take alike: a tenth of them stands for all."""
    recipes = [
        Recipe(network, dataset, scope="layer", layers=(layer,), value=level, images=images)
        for layer in experiment.groups_of(Recipe(network, dataset))
        for level in sensitivity.LEVELS
    ]
    with empty_store():
        ours = timed(lambda: sweep.measure(recipes))
    some = [recipe.value for recipe in recipes[::10]]
    return ours, timed(lambda: [peer(v) for v in some]) * len(recipes) / len(some), len(recipes)


def rates() -> tuple[float, float]:
    """Float32 operations a second of ResNet-20 on the full CIFAR-10 test set, and of a matrix product; in turns."""
    recipe, a = Recipe("resnet20", "cifar10"), torch.randn(2048, 2048)
    ours = product = 0.0
    experiment.run(replace(recipe, images=1000))
    for value in (0.1, 0.2, 0.3, 0.4):
        ours += timed(lambda value=value: experiment.run(replace(recipe, value=value)))
        product += timed(lambda: [a @ a for _ in range(60)])
    return 4 * 2 * cost("resnet20", "cifar10").macs * 10_000 / ours, 4 * 60 * 2 * 2048**3 / product


def first_estimate() -> float:
    """Seconds from a new ResNet-20 recipe to its first accuracy with an interval."""

    class Enough(Exception):
        pass

    def stop(outcome):
        raise Enough

    def once(value: float) -> None:
        try:
            experiment.run(Recipe("resnet20", "cifar10", value=value), stop)
        except Enough:
            pass

    return float(np.median([timed(lambda v=v: once(v)) for v in (0.31, 0.32, 0.33, 0.34, 0.35)]))


def precision() -> tuple[float, float, int]:
    """A ten-point ResNet-20 curve until each point is known to a point, and in full; how many intervals hold the full value."""
    asked = Bundle((Recipe("resnet20", "cifar10"),), points=10, precision=0.01)
    with empty_store():
        some = []
        partly = timed(lambda: some.extend(bundle.measure(asked)[0].runs[0]))
    with empty_store():
        full = []
        whole = timed(
            lambda: full.extend(bundle.measure(replace(asked, precision=None))[0].runs[0])
        )
    held = sum(
        a.accuracy.interval[0] <= b.accuracy.value <= a.accuracy.interval[1]
        for a, b in zip(some, full)
    )
    return partly, whole, held


def from_store() -> float:
    recipes = [Recipe("resnet20", "digits", value=v / 100) for v in range(10)]
    with empty_store():
        sweep.measure(recipes)
        return max(timed(lambda r=r: sweep.measure([r])) for r in recipes)


def while_a_curve_runs() -> tuple[list[float], list[float], float]:
    """Slider latencies of LeNet-5 on MNIST, alone, and while another visitor's ResNet-20 curve is being computed; then with all
    networks loaded and a scan running, the server's memory in bytes."""
    from tests.browser.conftest import chromium, serving, settle

    with empty_store(), serving() as address, chromium() as browser:
        other, page = browser.new_page(), browser.new_page(viewport={"width": 1400, "height": 1000})
        page.goto(f"{address}/?dataset=mnist&network=lenet5&sparsity=0.8")
        settle(page)
        alone = slider_latencies(page, settle=2.0)
        other.goto(
            f"{address}/curves?points=40&seeds=5&recipes="
            '[{"network":"resnet20","dataset":"cifar10"},{"network":"resnet20","dataset":"cifar10","criterion":"random"}]'
        )
        other.get_by_text("Cancel").wait_for(timeout=60_000)
        page.wait_for_timeout(5000)
        taken = slider_latencies(page, settle=2.0)
        assert other.get_by_text("Cancel").count(), "the curve was done before the slider"
        for network, dataset in (
            ("lenet300", "mnist"),
            ("lenet5-caffe", "mnist"),
            ("resnet20", "cifar10"),
        ):
            page.goto(
                f"{address}/?network={network}&dataset={dataset}&sparsity=0.5&method=filter&criterion=taylor"
            )
            settle(page)
        page.goto(f"{address}/compare?budget=macs=0.5")
        page.wait_for_timeout(5000)
        other.goto(f"{address}/sensitivity?network=resnet20&dataset=cifar10")
        other.wait_for_timeout(20_000)
        return alone, taken, _memory(address)


def _memory(address: str) -> float:
    """Resident bytes of the process that listens there."""
    import re
    from pathlib import Path

    port = f"{int(address.rpartition(':')[2]):04X}"
    inodes = {
        line.split()[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()
        if f":{port} " in line and " 0A " in line
    }
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(
                os.readlink(link) in {f"socket:[{inode}]" for inode in inodes}
                for link in (process / "fd").iterdir()
            ):
                return 1024 * int(re.search(r"VmRSS:\s+(\d+)", (process / "status").read_text())[1])
        except OSError:
            continue
    raise AssertionError("nobody listens there")


def rows(row: Callable, plain_way: Callable) -> None:
    for network in ("lenet5", "lenet300"):
        ours, theirs = curve(network, "mnist", plain_way(network, "mnist"))
        row(
            f"a 20-point curve, {network} on mnist, full test set",
            ours,
            "the loop of prune and DataLoader",
            theirs,
        )
    ours, theirs, count = scan("lenet5", "mnist", plain_way("lenet5", "mnist"), None)
    row(
        f"a scan of {count} points, lenet5 on mnist, full test set",
        ours,
        "the loop (a tenth of it, times ten)",
        theirs,
    )
    row("a result from the store", from_store())
    if not datasets.available("cifar10"):
        print("ResNet-20 on CIFAR-10: skipped")
        return
    ours, theirs, count = scan("resnet20", "cifar10", plain_way("resnet20", "cifar10", 500), 500)
    row(
        f"a scan of {count} points, resnet20 on cifar10, 500 images",
        ours,
        "the loop (a tenth of it, times ten)",
        theirs,
    )
    rate, product = rates()
    print(
        f"resnet20 on cifar10, full test set: {rate / 1e9:.0f} GFLOP/s, {rate / product:.0%} of a matrix product's {product / 1e9:.0f}"
    )
    row("the first estimate, resnet20 on cifar10", first_estimate())
    partly, whole, held = precision()
    row(
        f"a 10-point curve to 0.01 ({held} of 10 intervals hold the full value), resnet20",
        partly,
        "the same in full",
        whole,
    )
    alone, taken, memory = while_a_curve_runs()
    (quiet, most), (median, longest) = summary(alone), summary(taken)
    row(
        "key press to repaint while another's ResNet-20 curve runs: median",
        median,
        "without it",
        quiet,
    )
    row("the same: 95th percentile", longest, "without it", most)
    print(f"memory of the server, all networks loaded and a scan running: {memory / 1e9:.2f} GB")
