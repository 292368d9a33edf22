"""Every criterion on every trained network, without retraining: a table to compare versions by."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.engine.evaluate import evaluate
from pruning.engine.prune import prune
from pruning.methods.criteria import CRITERIA
from pruning.methods.units import METHODS
from pruning.models import checkpoints
from pruning.recipe.compatibility import criteria_for
from pruning.recipe.recipe import Recipe
from pruning.runtime.atomic_write import atomic_write
from pruning.runtime.installation import ASSETS
from pruning.runtime.progress import ignore_progress

FILE = ASSETS / "regression.csv"
SHARES = (0.5, 0.8, 0.9)
RECIPE_COLUMNS = ("network", "dataset", "method", "criterion", "scope", "share")
COLUMNS = (*RECIPE_COLUMNS, "units", "removed", "sparsity", "correct", "images", "accuracy")

Row = dict[str, str]


def recipes() -> Iterator[Recipe]:
    """Iterate over the recipes of the table.

    Yields
    ------
    Recipe
        Of all networks that were trained on data that is available and not built in, the random
        control of each method first.
    """
    for network, dataset in checkpoints.shipped():
        if DATASETS[dataset].download_bytes and datasets.available(dataset):
            for method in METHODS:
                yield from _recipes_of_method(network, dataset, method)


def _recipes_of_method(network: str, dataset: str, method: str) -> Iterator[Recipe]:
    names = criteria_for(network, method)
    random_first = sorted(names, key=lambda name: not CRITERIA[name].is_random)
    for criterion in random_first:
        for share in SHARES:
            yield Recipe.one_step(
                network,
                dataset,
                method=method,
                criterion=criterion,
                scope=METHODS[method].usual_scope,
                value=share,
            )


def read_table(path: Path = FILE) -> dict[Recipe, Row]:
    """Read a table.

    Parameters
    ----------
    path : Path
        CSV file; it may be missing.

    Returns
    -------
    dict of Recipe to dict
        Rows by their recipe.
    """
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        return {_recipe_of(row): row for row in csv.DictReader(file)}


def _recipe_of(row: Row) -> Recipe:
    return Recipe.one_step(
        row["network"],
        row["dataset"],
        method=row["method"],
        criterion=row["criterion"],
        scope=row["scope"],
        value=float(row["share"]),
    )


def write_table(
    path: Path = FILE, report: Callable[[int, int, Recipe], None] = ignore_progress
) -> None:
    """Measure what a table does not have yet, on the full test sets.

    A run that was stopped continues at the first missing row.

    Parameters
    ----------
    path : Path
        CSV file.
    report : callable
        Called before each measurement with the number of finished ones, their total number, and
        the recipe.
    """
    rows, requested = read_table(path), list(recipes())
    for done, recipe in enumerate(requested):
        report(done, len(requested), recipe)
        if recipe not in rows:
            rows[recipe] = measure_row(recipe)
            _save(path, rows)


def measure_row(recipe: Recipe) -> Row:
    """Measure one row on the full test set.

    Parameters
    ----------
    recipe : Recipe
        The recipe of the row.

    Returns
    -------
    dict of str to str
        Values by the names of ``COLUMNS``.
    """
    [evaluation] = evaluate([recipe])
    result, step = prune(recipe).step_results[-1], recipe.last_step
    return {
        "network": recipe.network,
        "dataset": recipe.dataset,
        "method": step.method,
        "criterion": step.criterion,
        "scope": step.scope,
        "share": str(step.value),
        "units": str(result.total),
        "removed": str(result.removed),
        "sparsity": f"{evaluation.sparsity:.4f}",
        "correct": str(evaluation.accuracy.correct),
        "images": str(evaluation.accuracy.images),
        "accuracy": f"{evaluation.accuracy.value:.4f}",
    }


def _save(path: Path, rows: dict[Recipe, Row]) -> None:
    with atomic_write(path) as temporary, Path(temporary).open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(rows.values())
