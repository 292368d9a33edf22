"""curve, sensitivity, plan, store: many recipes at once, and what is remembered of them."""

import json
from contextlib import contextmanager
from pathlib import Path

import click

from pruning.cli.options import data_dir, get_data, objects, score

FILE = click.Path(dir_okay=False, path_type=Path)


class Precision(click.ParamType):
    """``full``, or the half-width of a 95% interval."""

    name = "full|number"

    def convert(self, value, param, ctx):
        try:
            return None if value in (None, "full") else float(value)
        except ValueError:
            self.fail(f"must be full or a number such as 0.01, not {value!r}", param, ctx)


precision = click.option(
    "--precision",
    type=Precision(),
    default="full",
    show_default=True,
    help="A point is done once the half-width of its 95% interval is below, such as 0.01.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
to_csv = click.option("--csv", type=FILE, metavar="FILE", help="Write a row per point.")


@contextmanager
def _bar(text: str):
    """A progress bar on stderr: a function that is told the share that is done."""
    from tqdm import tqdm

    with tqdm(total=100, unit="%", desc=text, disable=None) as bar:
        yield lambda share: bar.update(round(100 * share) - bar.n)


def _write(table, path: Path | None) -> None:
    from pruning.runtime.atomic_write import atomic_write

    if path:
        with atomic_write(path) as temporary:
            table.to_csv(temporary, index=False)


@click.command()
@click.option("--network", help="Instead of the recipes' own [default: lenet5].")
@click.option("--dataset", help="Instead of the recipes' own [default: mnist].")
@click.option(
    "--recipe",
    "recipes",
    multiple=True,
    type=FILE,
    metavar="FILE",
    help="JSON, may be given several times [default: weights by magnitude, and the random control].",
)
@click.option(
    "--points",
    type=int,
    default=11,
    show_default=True,
    help="Even sparsities; 0: compression ratios 1 to 32.",
)
@click.option(
    "--seeds", type=int, default=3, show_default=True, help="Of recipes with a random part."
)
@click.option("--images", type=int, help="Of the test set, the first ones [default: all].")
@precision
@data_dir
@as_json
@to_csv
def curve(network, dataset, recipes, points, seeds, images, precision, as_json, csv) -> None:
    """Accuracy of recipes at many strengths; stopped and started again, it goes on."""
    from pruning.experiments import curves as bundle
    from pruning.recipe.recipe import Recipe

    given = {name: value for name, value in (("network", network), ("dataset", dataset)) if value}
    files = [{**one, **given} for path in recipes for one in objects(path)] or [
        given,
        {**given, "criterion": "random"},
    ]
    asked = bundle.Bundle(
        tuple(Recipe.from_dict(one) for one in files), points, seeds, images, precision
    )
    get_data(asked.recipes[0].dataset)
    for recipe in asked.recipes:
        score(recipe)
    with _bar("measuring") as show:
        found = bundle.measure(asked, lambda lines, share: show(share))
    table = bundle.table(found)
    _write(table, csv)
    if as_json:
        click.echo(json.dumps(bundle.to_dict(asked, found), indent=1))
    elif not csv:
        shown = table[
            ["name", "seed", "value", "sparsity", "compression", "accuracy", "loss", "images"]
        ]
        click.echo(shown.to_string(index=False, float_format="{:.4f}".format))
        for line in found:
            click.echo(f"area under {bundle.name_of(line.recipe)}: {line.area:.4f}")


def _scanned(command):
    for option in (
        click.option(
            "--precision", type=Precision(), default="full", show_default=True, help="As for curve."
        ),
        click.option("--seed", type=int, default=0, show_default=True),
        click.option(
            "--calibration", type=int, help="Training images that criteria look at [default: 1024]."
        ),
        click.option("--grouping", default="", help="inside or across additions (filter, neuron)."),
        click.option("--criterion", help="What scores the units [default: the first that can]."),
        click.option(
            "--method", default="weight", show_default=True, help="weight, neuron or filter."
        ),
        click.option("--dataset", default="mnist", show_default=True),
        click.option("--network", default="lenet5", show_default=True),
    ):
        command = option(command)
    return command


def _scan(network, dataset, method, criterion, grouping, calibration, seed, precision, levels: int):
    from pruning.experiments import sensitivity as scanning
    from pruning.recipe.recipe import Recipe, criteria_for

    if not 1 <= levels <= 100:
        raise ValueError(f"levels must be a whole number from 1 to 100, not {levels}")
    recipe = Recipe(
        network,
        dataset,
        method=method,
        criterion=criterion or criteria_for(network, method)[0],
        grouping=grouping,
        seed=seed,
        **({"calibration": calibration} if calibration is not None else {}),
    )
    get_data(dataset)
    score(recipe)
    with _bar("scanning") as show:
        return scanning.scan(
            recipe,
            lambda scan, share: show(share),
            precision=precision,
            levels=tuple((level + 1) / levels for level in range(levels)),
        )


@click.command()
@_scanned
@click.option(
    "--levels", type=int, default=10, show_default=True, help="How many sparsities, up to 100%."
)
@data_dir
@as_json
@to_csv
def sensitivity(as_json, csv, **options) -> None:
    """Every layer pruned alone, on validation images."""
    found = _scan(**options)
    table = found.table()
    _write(table, csv)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "recipe": found.recipe.to_dict(),
                    "dense": found.dense.accuracy.value,
                    "order": found.order,
                    "points": table.to_dict("records"),
                },
                indent=1,
            )
        )
    elif not csv:
        click.echo(found.accuracies.to_string(float_format="{:.4f}".format))
        click.echo(f"most sensitive first: {', '.join(found.order)}")


@click.command()
@click.option(
    "--lose",
    type=float,
    required=True,
    help="Points of validation accuracy that may go, such as 1.0.",
)
@_scanned
@click.option("--levels", type=int, default=10, show_default=True, help="Of the scan.")
@click.option(
    "--out", type=FILE, metavar="FILE", help="Write the planned recipe, for prune --steps."
)
@data_dir
@as_json
def plan(lose, out, as_json, **options) -> None:
    """A sparsity for each layer that keeps what may be lost, beside uniform and global ones of the same size."""
    from pruning.experiments import sensitivity as scanning
    from pruning.runtime.atomic_write import atomic_write

    found = _scan(**options)
    with _bar("planning") as show:
        planned = scanning.plan(found, lose, show)
    recipe, table = planned.plan.recipe, planned.table()
    if out:
        with atomic_write(out) as temporary:
            temporary.write_text(json.dumps(recipe.to_dict(), indent=1) + "\n")
    if as_json:
        click.echo(
            json.dumps(
                {
                    "lose": lose,
                    "dense_validation": planned.dense_validation,
                    "recipe": recipe.to_dict(),
                    "plans": table.to_dict("records"),
                },
                indent=1,
            )
        )
        return
    click.echo(table.to_string(index=False, float_format="{:.4f}".format))
    values = dict(recipe.values)
    click.echo(
        "sparsities  " + ", ".join(f"{name}={values.get(name, 0.0):g}" for name in found.layers)
    )


@click.group()
def store() -> None:
    """Results that are remembered."""


@store.command(name="list")
@as_json
def list_(as_json: bool) -> None:
    """What is there, newest first."""
    from pruning.engine import store as stored

    rows = list(stored.rows())
    if as_json:
        click.echo(
            json.dumps(
                [
                    {
                        **row,
                        "recipe": json.loads(row["recipe"]),
                        "result": json.loads(row["result"]),
                    }
                    for row in rows
                ],
                indent=1,
            )
        )
        return
    for row in rows:
        recipe, result = json.loads(row["recipe"]), json.loads(row["result"])
        told = (
            "several steps"
            if "steps" in recipe
            else f"{recipe['method']} {recipe['criterion']} {recipe['rule']}={recipe['value']}"
        )
        click.echo(
            f"{recipe['network']:14} {recipe['dataset']:8} {row['split']:10} {row['images']:>6} images  "
            f"{sum(result['class_correct']) / row['images']:.4f}  {told}"
        )
    click.echo(f"{len(rows)} results in {stored.path()}")


@store.command()
@click.argument("file", type=FILE)
def export(file: Path) -> None:
    """Write all results as CSV."""
    from pruning.engine import store as stored

    click.echo(f"{stored.export(file)} results written to {file}")


@store.command()
def clear() -> None:
    """Forget all results."""
    from pruning.engine import store as stored

    click.echo(f"{stored.clear()} results forgotten")
