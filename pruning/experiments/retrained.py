"""Networks that were pruned and trained here, to show beside curves without training."""

import csv
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from pathlib import Path

from pruning.cost.macs import dense_cost
from pruning.engine.prune import prune
from pruning.models.cards import Card
from pruning.recipe.labels import recipe_label
from pruning.recipe.recipe import Recipe
from pruning.runtime.atomic_write import atomic_write
from pruning.runtime.errors import PrunescopeError
from pruning.runtime.installation import ASSETS
from pruning.training.run_files import list_runs
from pruning.training.schedules import SCHEDULES
from pruning.training.spec import RunSpec

FILE = ASSETS / "retrained.csv"
"""The results of the benchmarks, as `python -m pruning benchmark NAME --data` writes them."""
SPARSITY_DECIMALS = 4
"""Runs whose sparsities agree to this many decimals are seeds of one setting."""


@dataclass(frozen=True)
class RetrainedNetwork:
    """One network after pruning and training.

    Parameters
    ----------
    benchmark : str
        Name in ``RETRAINING_BENCHMARKS``; empty for a run on this machine.
    series : str
        Name of the curve that it belongs to.
    network, dataset, method : str
        Names in ``NETWORKS``, ``DATASETS`` and ``METHODS``.
    seed : int
        Seed of the training.
    epochs : int
        Epochs of the run, without those of runs that it starts from.
    sparsity : float
        Removed / all prunable weights.
    compression : float
        All parameters / effective parameters.
    macs : float
        Effective MACs / MACs of the dense network.
    correct, images : int
        Correctly classified test images, and all of them.
    run : str
        Name of the run on this machine; empty for a shipped result.
    """

    benchmark: str
    series: str
    network: str
    dataset: str
    method: str
    seed: int
    epochs: int
    sparsity: float
    compression: float
    macs: float
    correct: int
    images: int
    run: str = ""

    @property
    def accuracy(self) -> float:
        """Correct / all test images."""
        return self.correct / self.images


@dataclass(frozen=True)
class RetrainedPoint:
    """The networks of one setting, a seed each.

    Parameters
    ----------
    networks : tuple of RetrainedNetwork
        At least one.
    """

    networks: tuple[RetrainedNetwork, ...]

    @property
    def accuracy(self) -> float:
        """Mean over the seeds."""
        return statistics.fmean(network.accuracy for network in self.networks)

    @property
    def deviation(self) -> float | None:
        """Sample standard deviation over the seeds; None for one seed."""
        if len(self.networks) == 1:
            return None
        return statistics.stdev(network.accuracy for network in self.networks)

    def position(self, quantity: str) -> float:
        """Return the mean of a quantity over the seeds.

        Parameters
        ----------
        quantity : str
            ``"sparsity"``, ``"compression"`` or ``"macs"``.

        Returns
        -------
        float
            The mean.
        """
        return statistics.fmean(getattr(network, quantity) for network in self.networks)


@dataclass(frozen=True)
class RetrainedCurve:
    """The points of a series.

    Parameters
    ----------
    name : str
        What the legend says.
    method : str
        Name in ``METHODS``.
    points : tuple of RetrainedPoint
        Sparsities rise.
    is_joined : bool
        Whether the points are one experiment, and a line joins them.
    """

    name: str
    method: str
    points: tuple[RetrainedPoint, ...]
    is_joined: bool


def benchmark_result(benchmark: str, spec: RunSpec, card: Card) -> RetrainedNetwork:
    """Describe the network of a finished run of a benchmark.

    Parameters
    ----------
    benchmark : str
        Name in ``RETRAINING_BENCHMARKS``.
    spec : RunSpec
        What was trained.
    card : Card
        Its card.

    Returns
    -------
    RetrainedNetwork
        With the effective costs of the network; its series is named by units, criterion and
        schedule.

    Raises
    ------
    CheckpointError
        If the network of the run cannot be read.
    """
    label = recipe_label(replace(spec.recipe, checkpoint=""), with_seed=False)
    series = f"{label}, {SCHEDULES[spec.schedule].label.lower()}"
    return replace(_result_of_run(series, spec, card), benchmark=benchmark, run="")


def _result_of_run(series: str, spec: RunSpec, card: Card) -> RetrainedNetwork:
    """Describe the network of a finished run on this machine."""
    cost = _cost_of_run(spec.name, card.network, card.dataset, card.weights_sha256)
    return RetrainedNetwork(
        benchmark="",
        series=series,
        network=card.network,
        dataset=card.dataset,
        method=spec.recipe.last_step.method,
        seed=spec.seed,
        epochs=card.epochs,
        sparsity=cost.sparsity,
        compression=cost.compression,
        macs=cost.macs,
        correct=card.test_correct,
        images=card.test_images,
        run=spec.name,
    )


@dataclass(frozen=True)
class _CostOfRun:
    sparsity: float
    compression: float
    macs: float


@lru_cache(maxsize=512)
def _cost_of_run(name: str, network: str, dataset: str, weights_sha256: str) -> _CostOfRun:
    """Count what a run has left; the criterion of the run need not be computed for it."""
    nothing_removed = Recipe.one_step(network, dataset, value=0.0, checkpoint=name)
    pruned, dense = prune(nothing_removed), dense_cost(network, dataset)
    return _CostOfRun(
        sparsity=pruned.sparsity,
        compression=dense.parameters / max(1, pruned.effective.parameters),
        macs=pruned.effective.macs / dense.macs,
    )


def write_results(benchmark: str, networks: Iterable[RetrainedNetwork], path: Path = FILE) -> None:
    """Write the results of a benchmark, in place of its earlier ones.

    Parameters
    ----------
    benchmark : str
        Name in ``RETRAINING_BENCHMARKS``.
    networks : iterable of RetrainedNetwork
        Its networks.
    path : Path
        CSV file with the results of all benchmarks; it is created if it does not exist.
    """
    others = []
    if path.exists():
        others = [result for result in read_results(path) if result.benchmark != benchmark]
    names = [field.name for field in fields(RetrainedNetwork) if field.name != "run"]
    with atomic_write(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for network in [*others, *networks]:
            writer.writerow(asdict(network))


def read_results(path: Path = FILE) -> list[RetrainedNetwork]:
    """Read the results of all benchmarks.

    Parameters
    ----------
    path : Path
        As `write_results` writes it.

    Returns
    -------
    list of RetrainedNetwork
        In the order of the file.
    """
    results = []
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            values = {}
            for field in fields(RetrainedNetwork):
                if field.name in row:
                    values[field.name] = field.type(row[field.name])  # type: ignore[operator]
            results.append(RetrainedNetwork(**values))
    return results


def shipped_curves(network: str, dataset: str) -> list[RetrainedCurve]:
    """Return the results of the benchmarks for a network.

    Parameters
    ----------
    network, dataset : str
        Names in ``NETWORKS`` and ``DATASETS``.

    Returns
    -------
    list of RetrainedCurve
        A curve for each series; may be empty.
    """
    series: dict[str, list[RetrainedNetwork]] = {}
    for result in _shipped_results():
        if (result.network, result.dataset) == (network, dataset):
            series.setdefault(result.series, []).append(result)
    return [_to_curve(name, members, True) for name, members in series.items()]


@lru_cache(maxsize=1)
def _shipped_results() -> tuple[RetrainedNetwork, ...]:
    return tuple(read_results(FILE)) if FILE.exists() else ()


def curves_of_runs(network: str, dataset: str, most: int) -> list[RetrainedCurve]:
    """Return the finished runs of a network on this machine.

    Parameters
    ----------
    network, dataset : str
        Names in ``NETWORKS`` and ``DATASETS``.
    most : int
        Only the newest runs are read.

    Returns
    -------
    list of RetrainedCurve
        A curve for each schedule. Runs whose files are damaged are left out; the page of the runs
        says what is wrong with them.
    """
    series: dict[str, list[RetrainedNetwork]] = {}
    for spec, card in _finished_runs(network, dataset)[:most]:
        name = f"run: {SCHEDULES[spec.schedule].label.lower()}"
        try:
            result = _result_of_run(name, spec, card)
        except PrunescopeError:
            continue
        series.setdefault(name, []).append(result)
    return [_to_curve(name, members, False) for name, members in series.items()]


def _finished_runs(network: str, dataset: str) -> list[tuple[RunSpec, Card]]:
    runs = []
    for run in list_runs():
        if run.spec is None or run.card is None:
            continue
        if (run.card.network, run.card.dataset) == (network, dataset):
            runs.append((run.spec, run.card))
    return runs


def _to_curve(
    name: str, networks: Iterable[RetrainedNetwork], is_experiment: bool
) -> RetrainedCurve:
    """Make a curve; the seeds of an experiment are one point, each run is its own."""
    settings: dict[object, list[RetrainedNetwork]] = {}
    for network in networks:
        setting = round(network.sparsity, SPARSITY_DECIMALS) if is_experiment else network.run
        settings.setdefault(setting, []).append(network)
    points = [RetrainedPoint(tuple(members)) for members in settings.values()]
    points.sort(key=lambda point: point.position("sparsity"))
    return RetrainedCurve(name, points[0].networks[0].method, tuple(points), is_experiment)
