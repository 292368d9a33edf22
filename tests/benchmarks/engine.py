"""What the engine must reach: many points, partial evaluation, the store; in `make bench`."""

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

import numpy as np
import torch

from pruning.cost.macs import dense_cost
from pruning.data import datasets
from pruning.engine.evaluate import EvaluationProgress, evaluate
from pruning.engine.prune import unit_groups
from pruning.experiments.curves import CurveRequest, measure_curves
from pruning.experiments.sensitivity import LEVELS
from pruning.recipe.recipe import Recipe
from tests.benchmarks.latency import slider_latencies, summary

NAMES = (
    "a 20-point curve",
    "a scan of",
    "a result from the store",
    "the first estimate, resnet20 on cifar10",
    "a 10-point curve to 0.01",
    "key press to repaint while another's ResNet-20 curve runs",
    "the same: 95th percentile",
)
"""First words of the rows."""


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
    """Twenty points on the full test set: the median of three curves, and the peer's loop.

    A third of the loop runs after each curve, so that a busy machine hits both.
    """
    values, ours, theirs = np.arange(20) / 20, [], 0.0
    with empty_store():
        evaluate([Recipe(network, dataset)])  # loading is not timed
    peer(0.5)
    for turn in range(3):
        with empty_store():
            recipes = [
                Recipe.one_step(network, dataset, value=float(v) + turn / 1000) for v in values
            ]
            ours.append(timed(lambda recipes=recipes: evaluate(recipes)))
        theirs += timed(lambda turn=turn: [peer(float(v)) for v in values[turn::3]])
    return float(np.median(ours)), theirs


@dataclass(frozen=True)
class ScanTimes:
    """Seconds of a scan and of the peer's loop, and the number of points."""

    ours: float
    theirs: float
    points: int


def scan(
    network: str, dataset: str, peer: Callable[[float], float], images: int | None
) -> ScanTimes:
    """Measure all layers at ten levels; the time of the peer is ten times that of every tenth."""
    recipes = []
    for layer in unit_groups(Recipe(network, dataset)):
        for level in LEVELS:
            recipe = Recipe.one_step(
                network,
                dataset,
                scope="layer",
                layers=(layer,),
                value=level,
                max_test_images=images,
            )
            recipes.append(recipe)
    with empty_store():
        ours = timed(lambda: evaluate(recipes))
    some = [recipe.last_step.value for recipe in recipes[::10]]
    theirs = timed(lambda: [peer(v) for v in some]) * len(recipes) / len(some)
    return ScanTimes(ours, theirs, len(recipes))


def rates() -> tuple[float, float]:
    """Operations a second of ResNet-20 on CIFAR-10 and of a matrix product, in turns."""
    recipe, a = Recipe("resnet20", "cifar10"), torch.randn(2048, 2048)
    ours = product = 0.0
    with empty_store():
        evaluate([replace(recipe, max_test_images=1000)])
        for value in (0.1, 0.2, 0.3, 0.4):
            changed = recipe.with_last_step(value=value)
            ours += timed(lambda changed=changed: evaluate([changed]))
            product += timed(lambda: [a @ a for _ in range(60)])
    return 4 * 2 * dense_cost(
        "resnet20", "cifar10"
    ).macs * 10_000 / ours, 4 * 60 * 2 * 2048**3 / product


def first_estimate() -> float:
    """Seconds from a new ResNet-20 recipe to its first accuracy with an interval."""

    class Enough(Exception):
        pass

    def seconds_to_estimate(value: float) -> float:
        began = time.perf_counter()
        reported_after = 0.0

        def stop(progress: EvaluationProgress) -> None:
            nonlocal reported_after
            if progress.evaluations[0] is not None:
                reported_after = time.perf_counter() - began
                raise Enough

        with suppress(Enough):
            evaluate([Recipe.one_step("resnet20", "cifar10", value=value)], report=stop)
        return reported_after

    times = []
    for value in (0.31, 0.32, 0.33, 0.34, 0.35):
        with empty_store():
            times.append(seconds_to_estimate(value))
    return float(np.median(times))


@dataclass(frozen=True)
class PrecisionTimes:
    """Seconds of a curve to a precision and in full, and intervals that hold the full value."""

    partly: float
    full: float
    held: int


def precision() -> PrecisionTimes:
    """Measure a ten-point ResNet-20 curve to a percentage point and in full."""
    asked = CurveRequest((Recipe("resnet20", "cifar10"),), points=10, precision=0.01)
    with empty_store():
        some = []
        partly = timed(lambda: some.extend(measure_curves(asked)[0].runs[0]))
    with empty_store():
        full = []
        whole = timed(
            lambda: full.extend(measure_curves(replace(asked, precision=None))[0].runs[0])
        )
    held = sum(
        a.accuracy.interval[0] <= b.accuracy.value <= a.accuracy.interval[1]
        for a, b in zip(some, full, strict=True)
    )
    return PrecisionTimes(partly, whole, held)


def from_store() -> float:
    recipes = [Recipe.one_step("resnet20", "digits", value=v / 100) for v in range(10)]
    with empty_store():
        evaluate(recipes)
        return max(timed(lambda r=r: evaluate([r])) for r in recipes)


@dataclass(frozen=True)
class ServerLoad:
    """Slider latencies in seconds, alone and beside a curve; memory of the server in bytes."""

    alone: list[float]
    beside_a_curve: list[float]
    memory: float


def while_a_curve_runs() -> ServerLoad:
    """Move the slider of LeNet-5 on MNIST, alone and beside a ResNet-20 curve.

    The memory is measured with all networks loaded and a scan running.
    """
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
        return ServerLoad(alone, taken, _memory(address))


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
                str(Path(link).readlink()) in {f"socket:[{inode}]" for inode in inodes}
                for link in (process / "fd").iterdir()
            ):
                return 1024 * int(re.search(r"VmRSS:\s+(\d+)", (process / "status").read_text())[1])
        except OSError:
            continue
    raise AssertionError(f"no process listens at {address}")


def rows(row: Callable, plain_way: Callable) -> None:
    for network in ("lenet5", "lenet300"):
        ours, theirs = curve(network, "mnist", plain_way(network, "mnist"))
        row(
            f"a 20-point curve, {network} on mnist, full test set",
            ours,
            "the loop of prune and DataLoader",
            theirs,
        )
    times = scan("lenet5", "mnist", plain_way("lenet5", "mnist"), None)
    row(
        f"a scan of {times.points} points, lenet5 on mnist, full test set",
        times.ours,
        "the loop (a tenth of it, times ten)",
        times.theirs,
    )
    row("a result from the store", from_store())
    if not datasets.available("cifar10"):
        print("ResNet-20 on CIFAR-10: skipped")
        return
    times = scan("resnet20", "cifar10", plain_way("resnet20", "cifar10", 500), 500)
    row(
        f"a scan of {times.points} points, resnet20 on cifar10, 500 images",
        times.ours,
        "the loop (a tenth of it, times ten)",
        times.theirs,
    )
    rate, product = rates()
    print(
        f"resnet20 on cifar10, full test set: {rate / 1e9:.0f} GFLOP/s, "
        f"{rate / product:.0%} of a matrix product's {product / 1e9:.0f}"
    )
    row("the first estimate, resnet20 on cifar10", first_estimate())
    curve_times = precision()
    row(
        f"a 10-point curve to 0.01 ({curve_times.held} of 10 intervals hold the full value), "
        "resnet20",
        curve_times.partly,
        "the same in full",
        curve_times.full,
    )
    load = while_a_curve_runs()
    quiet, most = summary(load.alone)
    median, longest = summary(load.beside_a_curve)
    row(
        "key press to repaint while another's ResNet-20 curve runs: median",
        median,
        "without it",
        quiet,
    )
    row("the same: 95th percentile", longest, "without it", most)
    print(
        f"memory of the server, all networks loaded and a scan running: {load.memory / 1e9:.2f} GB"
    )
