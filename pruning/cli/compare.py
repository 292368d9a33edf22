"""compare: several recipes at the same budget."""

import json
from pathlib import Path

import click

from pruning.cli.options import data_dir, get_data, objects, score


@click.command()
@click.argument("recipes", nargs=-1, required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--budget",
    default="own",
    show_default=True,
    help="macs=0.5 or parameters=0.25 (shares left), accuracy=0.98 (kept on validation images), or own.",
)
@click.option("--images", type=int, help="Classify the first N test images [default: all].")
@data_dir
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--csv",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the table.",
)
def compare(
    recipes: tuple[Path, ...], budget: str, images: int | None, as_json: bool, csv: Path | None
) -> None:
    """Recipes from JSON files side by side, each as strong as the budget asks."""
    from pruning.experiments import comparison as comparing
    from pruning.recipe.recipe import Recipe
    from pruning.runtime.atomic_write import atomic_write

    asked = comparing.Budget.read(budget)
    read = [
        Recipe.from_dict({**one, **({} if images is None else {"images": images})})
        for path in recipes
        for one in objects(path)
    ]
    comparing.check(read)
    get_data(read[0].dataset)
    for recipe in read:
        score(recipe)
    found = comparing.Comparison.of(read, asked)
    if csv:
        with atomic_write(csv) as temporary:
            found.table().to_csv(temporary, index=False)
    click.echo(json.dumps(found.to_dict(), indent=1) if as_json else found.as_text())
