"""The registry of retraining benchmarks: runs, and the tables that are made from them."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from pruning.cost.macs import Cost
from pruning.engine.apply_step import surviving_units
from pruning.engine.prune import prune
from pruning.models.cards import Card
from pruning.runtime.registry import Registry, register
from pruning.training.record import EpochRecord
from pruning.training.retrain import recipe_of_run
from pruning.training.run_files import RunFiles
from pruning.training.spec import RunSpec

MISSING = "missing"
"""Cell of a table whose runs are not finished."""
MAX_SEEDS = 20


@dataclass(frozen=True)
class FinishedRun:
    """What a table needs of a finished run.

    Parameters
    ----------
    spec : RunSpec
        What was trained.
    card : Card
        Accuracies of the final network.
    records : tuple of EpochRecord
        One for each epoch.
    """

    spec: RunSpec
    card: Card
    records: tuple[EpochRecord, ...]

    @property
    def test_error(self) -> float:
        """Share of the test images that are classified wrongly."""
        return 1 - self.card.test_accuracy

    @property
    def sparsity(self) -> float:
        """Removed / all prunable weights of the dense network."""
        return self.records[-1].sparsity

    @cached_property
    def effective(self) -> Cost:
        """Cost of what is connected to both the image and the logits."""
        return prune(recipe_of_run(self.spec)).effective

    def units_left(self) -> dict[str, int]:
        """Count the units of the method of the run that are left.

        Returns
        -------
        dict of str to int
            By group.
        """
        recipe = recipe_of_run(self.spec)
        units = surviving_units(prune(recipe).network, recipe)
        return {name: int(survives.sum()) for name, survives in units.items()}


Runs = Mapping[RunSpec, FinishedRun]
"""The finished runs of a benchmark; those that are not finished are not in it."""


@dataclass(frozen=True, eq=False)
class ResultTable:
    """A table of a section.

    Parameters
    ----------
    caption : str
        What it shows, with units.
    frame : pd.DataFrame
        Texts.
    """

    caption: str
    frame: pd.DataFrame


Part = str | ResultTable
"""A paragraph or a table."""


@dataclass(frozen=True)
class RetrainingBenchmark:
    """Runs, and what is shown of them.

    Attributes
    ----------
    name : str
        Key in ``RETRAINING_BENCHMARKS``, and name of the command.
    function : callable
        ``function(runs, seeds)`` gives paragraphs and tables.
    title : str
        Title of the section.
    specs : callable
        ``specs(seeds)`` gives the runs, each after those that it starts from.
    protocol : str
        How the runs are trained.
    differences : str
        What differs from the published ones.
    sources : str
        Where the published figures are from.
    seeds : int
        Usual number of seeds.
    has_curves : bool
        Whether its runs can stand as points beside curves: test accuracy against compression.
    """

    name: str
    function: Callable[[Runs, int], list[Part]]
    title: str
    specs: Callable[[int], Sequence[RunSpec]]
    protocol: str
    differences: str
    sources: str
    seeds: int
    has_curves: bool = False


RETRAINING_BENCHMARKS: Registry[RetrainingBenchmark] = Registry("benchmark")


def retraining_benchmark(name: str, **info: Any) -> Callable:
    """Register the decorated function as a benchmark.

    Parameters
    ----------
    name : str
        Key in ``RETRAINING_BENCHMARKS``.
    **info
        Further fields of `RetrainingBenchmark`.

    Returns
    -------
    callable
        Decorator that returns the function unchanged.
    """
    return register(RETRAINING_BENCHMARKS, RetrainingBenchmark, name, **info)


def check_seeds(seeds: int) -> None:
    """Check a number of seeds.

    Parameters
    ----------
    seeds : int
        Number of runs of each setting.

    Raises
    ------
    ValueError
        If it is out of range.
    """
    if not 1 <= seeds <= MAX_SEEDS:
        raise ValueError(f"seeds must be a whole number from 1 to {MAX_SEEDS}, not {seeds}")


def read_finished(specs: Sequence[RunSpec]) -> dict[RunSpec, FinishedRun]:
    """Read the runs that are finished.

    Parameters
    ----------
    specs : sequence of RunSpec
        The runs.

    Returns
    -------
    dict of RunSpec to FinishedRun
        Without those that are not finished.

    Raises
    ------
    CheckpointError, RunError
        If the files of a finished run are damaged.
    """
    runs = {}
    for spec in specs:
        files = RunFiles(spec.name)
        if files.is_finished:
            runs[spec] = FinishedRun(spec, files.card(), files.records())
    return runs


def mean_and_deviation(values: Sequence[float], decimals: int = 2) -> str:
    """Format values of several seeds as percentages.

    Parameters
    ----------
    values : sequence of float
        From 0 to 1, one for each seed.
    decimals : int
        Decimals of the percentages.

    Returns
    -------
    str
        Mean, with the sample standard deviation if there are several values; `MISSING` if there
        is none.
    """
    if not values:
        return MISSING
    mean = f"{100 * statistics.fmean(values):.{decimals}f}"
    if len(values) == 1:
        return mean
    return f"{mean} ± {100 * statistics.stdev(values):.{decimals}f}"


def of_seeds(runs: Runs, specs: Sequence[RunSpec]) -> list[FinishedRun]:
    """Return the finished runs among the seeds of a setting.

    Parameters
    ----------
    runs : mapping of RunSpec to FinishedRun
        All finished runs.
    specs : sequence of RunSpec
        One for each seed.

    Returns
    -------
    list of FinishedRun
        In the order of the seeds.
    """
    return [runs[spec] for spec in specs if spec in runs]
