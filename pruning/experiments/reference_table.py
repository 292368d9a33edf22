"""Every criterion on every trained network, without retraining: a table to compare later versions with."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

from pruning.data import datasets
from pruning.engine import prune as experiment
from pruning.methods.criteria import CRITERIA
from pruning.methods.units import METHODS
from pruning.models import checkpoints
from pruning.recipe.recipe import Recipe, criteria_for
from pruning.runtime.atomic_write import atomic_write

FILE = Path(__file__).parents[2] / "assets" / "regression.csv"
SHARES = (0.5, 0.8, 0.9)
COLUMNS = (
    "network",
    "dataset",
    "method",
    "criterion",
    "scope",
    "share",
    "units",
    "removed",
    "sparsity",
    "correct",
    "images",
    "accuracy",
)
SCOPE = {
    "weight": "global",
    "neuron": "layer",
    "filter": "layer",
    "layer": "global",
    "feature": "global",
}


def recipes() -> Iterator[Recipe]:
    """All of the networks that were trained on data that is here and not built in, control first."""
    for network, dataset in checkpoints.shipped():
        if datasets.DATASETS[dataset].download_bytes and datasets.available(dataset):
            for method in METHODS:
                for criterion in sorted(
                    criteria_for(network, method), key=lambda name: not CRITERIA[name].is_random
                ):
                    for share in SHARES:
                        yield Recipe(
                            network,
                            dataset,
                            method=method,
                            criterion=criterion,
                            scope=SCOPE[method],
                            value=share,
                        )


def read(path: Path = FILE) -> dict[Recipe, dict[str, str]]:
    """The rows of a table by their recipe."""
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        return {_recipe(row): row for row in csv.DictReader(file)}


def _recipe(row: dict[str, str]) -> Recipe:
    return Recipe(
        row["network"],
        row["dataset"],
        method=row["method"],
        criterion=row["criterion"],
        scope=row["scope"],
        value=float(row["share"]),
    )


def write(
    path: Path = FILE, report: Callable[[int, int, Recipe], None] = lambda done, total, recipe: None
) -> None:
    """Measure what the table does not have yet, on the full test sets; a run that was stopped goes on from there."""
    rows, asked = read(path), list(recipes())
    for done, recipe in enumerate(asked):
        report(done, len(asked), recipe)
        if recipe not in rows:
            rows[recipe] = row(recipe)
            _save(path, rows)


def row(recipe: Recipe) -> dict[str, str]:
    """One measurement on the full test set."""
    outcome = experiment.run(recipe)
    units, accuracy = outcome.units[-1], outcome.accuracy
    values = (
        recipe.network,
        recipe.dataset,
        recipe.method,
        recipe.criterion,
        recipe.scope,
        recipe.value,
        units.total,
        units.removed,
        f"{outcome.sparsity:.4f}",
        accuracy.correct,
        accuracy.images,
        f"{accuracy.value:.4f}",
    )
    return dict(zip(COLUMNS, map(str, values)))


def _save(path: Path, rows: dict[Recipe, dict[str, str]]) -> None:
    with atomic_write(path) as temporary, Path(temporary).open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(rows.values())
