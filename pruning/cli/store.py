"""The command ``store``: persistent results."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pruning.cli.options import FILE, TorchCommand, json_option, print_json

if TYPE_CHECKING:
    from pruning.engine.store import StoredResult
    from pruning.recipe.recipe import Recipe


@click.group()
def store() -> None:
    """List, export or delete stored results."""


@dataclass(frozen=True)
class StoredRow:
    """A valid row of the store.

    Parameters
    ----------
    columns : dict
        Values by the names of the columns; ``recipe`` and ``result`` are JSON values.
    recipe : Recipe
        What was evaluated.
    result : StoredResult
        The result.
    """

    columns: dict[str, Any]
    recipe: "Recipe"
    result: "StoredResult"

    def to_line(self) -> str:
        """Describe the row in one line.

        Returns
        -------
        str
            Network, dataset, split, images, accuracy and steps.
        """
        tally = self.result.tally
        accuracy = sum(tally.class_correct) / tally.images
        return (
            f"{self.recipe.network:14} {self.recipe.dataset:8} {self.columns['split']:10} "
            f"{tally.images:>6} images  {accuracy:.4f}  {_describe_steps(self.recipe)}"
        )


@store.command(name="list", cls=TorchCommand)
@json_option
def list_results(as_json: bool) -> None:
    """List the results, newest first."""
    from pruning.engine import store as result_store

    _check_store()
    rows, damaged = [], 0
    for columns in result_store.rows():
        row = _parse_row(columns)
        if row is None:
            damaged += 1
        else:
            rows.append(row)
    if as_json:
        print_json([row.columns for row in rows])
    else:
        for row in rows:
            click.echo(row.to_line())
        click.echo(f"{len(rows)} results in {result_store.location()}")
    if damaged:
        click.echo(f"damaged results that are not listed: {damaged}", err=True)


@store.command(cls=TorchCommand)
@click.argument("file", type=FILE)
def export(file: Path) -> None:
    """Write all results to a CSV file."""
    from pruning.engine import store as result_store

    _check_store()
    count = result_store.export(file)
    click.echo(f"{count} results written to {file}")


@store.command(cls=TorchCommand)
def clear() -> None:
    """Delete all results."""
    from pruning.engine import store as result_store

    _check_store()
    count = result_store.clear()
    click.echo(f"{count} results deleted")


def _check_store() -> None:
    """Check that the store can be read.

    The engine replaces a broken file by a new one and works without a server that does not answer,
    so that pages continue to work. Commands on the store itself report the problem instead.
    """
    from pruning.engine import store as result_store

    result_store.check()


def _parse_row(columns: dict[str, Any]) -> StoredRow | None:
    """Parse and validate a row of the store; None if it is damaged."""
    from pruning.data.datasets import DATASETS
    from pruning.engine.store import StoredResult
    from pruning.recipe.serialization import recipe_from_dict
    from pruning.runtime.json_reader import parse_json

    try:
        recipe_content = parse_json(columns["recipe"], "recipe")
        result_content = parse_json(columns["result"], "result")
        recipe = recipe_from_dict(recipe_content)
        result = StoredResult.from_dict(result_content, len(DATASETS[recipe.dataset].classes))
    except (ValueError, TypeError):
        return None
    texts = (columns["key"], columns["split"], columns["checkpoint"], columns["data"])
    are_texts = all(isinstance(text, str) for text in texts)
    if not are_texts or not isinstance(columns["made"], float):
        return None
    if result.tally.images != columns["images"]:
        return None
    parsed = {**columns, "recipe": recipe_content, "result": result_content}
    return StoredRow(parsed, recipe, result)


def _describe_steps(recipe: "Recipe") -> str:
    if recipe.previous_steps:
        return "several steps"
    step = recipe.last_step
    return f"{step.method} {step.criterion} {step.rule}={step.value}"
