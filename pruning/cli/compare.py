"""The command ``compare``: several recipes at the same budget."""

from pathlib import Path
from typing import Any

import click

from pruning.cli.options import (
    FILE,
    TorchCommand,
    cluster_option,
    csv_option,
    data_dir_option,
    device_option,
    fetch_dataset,
    images_option,
    json_option,
    print_json,
    read_recipes,
    score_with_progress,
    write_csv,
)


@click.command(cls=TorchCommand)
@click.argument("recipes", nargs=-1, required=True, type=FILE)
@click.option(
    "--budget",
    default="own",
    show_default=True,
    help="macs=0.5 or parameters=0.25 (share that remains), accuracy=0.98 (to keep on validation "
    "images), or own (each recipe as it is).",
)
@images_option
@cluster_option
@device_option
@data_dir_option
@json_option
@csv_option
def compare(
    recipes: tuple[Path, ...], budget: str, images: int | None, as_json: bool, csv: Path | None
) -> None:
    """Compare recipes at an equal budget.

    RECIPES are JSON files; each holds a recipe, a list of steps, or a comparison. The strength of
    the last step of each recipe is adapted to the budget.
    """
    from pruning.experiments.budgets import Budget
    from pruning.experiments.comparison import Comparison, check_comparable

    common_budget = Budget.from_text(budget)
    overrides: dict[str, Any] = {} if images is None else {"images": images}
    compared = []
    for path in recipes:
        compared += read_recipes(path, **overrides)
    check_comparable(compared)
    fetch_dataset(compared[0].dataset)
    for recipe in compared:
        score_with_progress(recipe)
    comparison = Comparison.of(compared, common_budget)
    write_csv(comparison.table(), csv)
    if as_json:
        print_json(comparison.to_dict())
    else:
        click.echo(comparison.to_text())
