"""download, train, table, list: what the application is made of."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import click

from pruning.cli.options import data_dir, get_data


@click.command()
@click.argument("name")
@data_dir
def download(name: str) -> None:
    """Fetch a dataset: mnist or cifar10."""
    from pruning.data import datasets

    get_data(name)
    click.echo(
        f"{name} is {'built in' if not datasets.DATASETS[name].download_bytes else datasets.path_of(name)}"
    )


@click.command()
@click.argument("network")
@click.argument("dataset")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--epochs", type=click.IntRange(min=1), help="[default: as the shipped checkpoints]")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for weights and card [default: where the application looks for them].",
)
@data_dir
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
def train(
    network: str, dataset: str, seed: int, epochs: int | None, out: Path | None, as_json: bool
) -> None:
    """Train a network; killed and started again, it goes on from the last epoch."""
    from tqdm import tqdm

    from pruning.models import checkpoints
    from pruning.training import from_scratch as training

    plan = replace(training.default_plan(network, dataset), seed=seed)
    plan = replace(plan, epochs=epochs) if epochs else plan
    get_data(dataset)
    with tqdm(unit=" steps", desc=f"{network} on {dataset}", disable=None) as bar:

        def show(epoch: int, epochs: int, step: int, steps: int, loss: float) -> None:
            done = (epoch - 1) * steps + step
            if not bar.n and done > 1:
                bar.initial = bar.n = (
                    done - 1
                )  # an interrupted run goes on: its steps do not count for the speed
            bar.total = epochs * steps
            bar.set_postfix(epoch=f"{epoch}/{epochs}", loss=f"{loss:.4f}", refresh=False)
            bar.update(done - bar.n)

        card = training.train(network, dataset, plan, out or checkpoints.FOLDER, show)
    click.echo(
        json.dumps(asdict(card), indent=1)
        if as_json
        else f"{network} on {dataset}: test accuracy {card.test_accuracy:.2%} ({card.test_correct:,} of "
        f"{card.test_images:,}), validation {card.validation_accuracy:.2%}, {card.seconds:.0f} s"
    )


@click.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="[default: the table of this version]",
)
@data_dir
def table(out: Path | None) -> None:
    """Measure every criterion at 50, 80 and 90% on all real data; stopped and started again, it goes on."""
    from tqdm import tqdm

    from pruning.experiments import reference_table as regression

    path = out or regression.FILE
    with tqdm(unit=" rows", disable=None) as bar:

        def show(done: int, total: int, recipe) -> None:
            bar.total = total
            bar.set_postfix_str(
                f"{recipe.network} {recipe.method} {recipe.criterion}", refresh=False
            )
            bar.update(done - bar.n)

        regression.write(path, show)
    click.echo(f"{path} is complete")


@click.command(name="list")
@click.argument("kind", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def list_(kind: str | None, as_json: bool) -> None:
    """What there is: networks, datasets, methods, criteria, rules or scopes; without a kind, all."""
    from pruning.data.datasets import DATASETS
    from pruning.methods.criteria import CRITERIA
    from pruning.methods.rules import RULES, SCOPES
    from pruning.methods.units import METHODS
    from pruning.models import NETWORKS
    from pruning.runtime.registry import Registry

    kinds = Registry("kind")
    for name, registry in (
        ("networks", NETWORKS),
        ("datasets", DATASETS),
        ("methods", METHODS),
        ("criteria", CRITERIA),
        ("rules", RULES),
        ("scopes", SCOPES),
    ):
        kinds.add(name, registry)
    chosen = {kind: kinds[kind]} if kind else dict(kinds)
    if as_json:
        click.echo(
            json.dumps(
                {
                    name: {key: _described(entry) for key, entry in registry.items()}
                    for name, registry in chosen.items()
                },
                indent=1,
            )
        )
        return
    for name, registry in chosen.items():
        click.secho(name, bold=True)
        for key, entry in registry.items():
            told = _described(entry)
            scored = f" [{', '.join(told['applies_to'])}]" if "applies_to" in told else ""
            click.echo(
                f"  {key:18} {told.get('label', '')}{scored}{': ' if 'label' in told else ''}"
                f"{told.get('help') or told.get('source', '')}"
            )


def _described(entry) -> dict:
    """What JSON can say of a registry's entry."""
    if isinstance(entry, str):
        return {"help": entry}
    told = {field: getattr(entry, field) for field in entry.__dataclass_fields__ if field != "name"}
    return {
        field: value
        for field, value in told.items()
        if not callable(value) and value not in (float("inf"), -float("inf"), (), {}, "", False)
    }
