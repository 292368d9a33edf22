"""The command ``curve``: accuracy of recipes at many strengths."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    precision_option,
    print_json,
    progress_bar,
    read_recipes,
    recovery_option,
    score_with_progress,
    table_to_text,
    write_csv,
)
from pruning.runtime.defaults import DEFAULT_DATASET, DEFAULT_NETWORK

if TYPE_CHECKING:
    from pruning.recipe.recipe import Recipe

TEXT_COLUMNS = [
    "name",
    "seed",
    "value",
    "sparsity",
    "compression",
    "accuracy",
    "loss",
    "images",
]


@click.command(cls=TorchCommand)
@click.option(
    "--network", help=f"Replaces the network of the recipes [default: {DEFAULT_NETWORK}]."
)
@click.option(
    "--dataset", help=f"Replaces the dataset of the recipes [default: {DEFAULT_DATASET}]."
)
@click.option(
    "--recipe",
    "recipes",
    multiple=True,
    type=FILE,
    metavar="FILE",
    help="Recipe as JSON; can be repeated [default: weights by magnitude and at random].",
)
@click.option(
    "--points",
    type=int,
    default=11,
    show_default=True,
    help="Number of evenly spaced sparsities; 0: the effective compression ratios 1 to 32.",
)
@click.option(
    "--seeds",
    type=int,
    default=3,
    show_default=True,
    help="Number of seeds of recipes with a random criterion.",
)
@recovery_option
@images_option
@precision_option
@cluster_option
@device_option
@data_dir_option
@json_option
@csv_option
def curve(
    network: str | None,
    dataset: str | None,
    recipes: tuple[Path, ...],
    points: int,
    seeds: int,
    recovery: tuple[str, ...],
    images: int | None,
    precision: float | None,
    as_json: bool,
    csv: Path | None,
) -> None:
    """Measure the accuracy of recipes at many strengths.

    Results are stored: an interrupted command continues where it stopped.
    """
    from pruning.experiments.curve_request import CurveRequest
    from pruning.experiments.curve_table import curves_table, curves_to_dict
    from pruning.experiments.curves import measure_curves
    from pruning.recipe.labels import recipe_label

    request = CurveRequest(
        tuple(_read_recipes(recipes, network, dataset, recovery)), points, seeds, images, precision
    )
    fetch_dataset(request.recipes[0].dataset)
    for recipe in request.recipes:
        score_with_progress(recipe)
    with progress_bar("measuring") as report:
        curves = measure_curves(request, lambda curves, share: report(share))
    table = curves_table(curves)
    write_csv(table, csv)
    if as_json:
        print_json(curves_to_dict(request, curves))
    elif csv is None:
        click.echo(table_to_text(table[TEXT_COLUMNS]))
        for measured in curves:
            click.echo(f"area under {recipe_label(measured.recipe)}: {measured.area:.4f}")


def _read_recipes(
    paths: tuple[Path, ...], network: str | None, dataset: str | None, recovery: tuple[str, ...]
) -> list["Recipe"]:
    from pruning.recipe.serialization import recipe_from_dict

    overrides: dict[str, Any] = {}
    if network is not None:
        overrides["network"] = network
    if dataset is not None:
        overrides["dataset"] = dataset
    if recovery:
        overrides["recovery"] = list(recovery)
    if not paths:
        by_magnitude = recipe_from_dict(overrides)
        at_random = recipe_from_dict({**overrides, "criterion": "random"})
        return [by_magnitude, at_random]
    recipes = []
    for path in paths:
        recipes += read_recipes(path, **overrides)
    return recipes
