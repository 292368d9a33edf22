"""The command line: the same path as the pages."""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import click

from pruning.environment import check_torch
from pruning.errors import PrunescopeError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Prunescope: see neural networks being pruned."""


def _data_dir(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value:
        import os

        os.environ["PRUNESCOPE_DATA"] = value


data_dir = click.option("--data-dir", type=click.Path(file_okay=False), callback=_data_dir, expose_value=False,
                        is_eager=True, help="Folder of the datasets [default: PRUNESCOPE_DATA, else the user's cache].")


def _rule_options(command):
    from pruning.rules import RULES

    for rule in reversed(list(RULES.values())):
        command = click.option(f"--{rule.name}", type=float, help=rule.help)(command)
    return command


def _outputs(command):
    for name, text in (("program", "the masked network as a torch.export program"),
                       ("weights", "the masked state dict"), ("masks", "the masks, uint8, 1 = kept")):
        path = click.Path(dir_okay=False, path_type=Path)
        command = click.option(f"--{name}", type=path, metavar="FILE", help=f"Write {text}.")(command)
    return command


@main.command()
@click.option("--network", default="lenet5", show_default=True)
@click.option("--dataset", default="mnist", show_default=True)
@click.option("--method", default="weight", show_default=True)
@click.option("--criterion", default="magnitude", show_default=True)
@click.option("--scope", default="global", show_default=True)
@_rule_options
@click.option("--layers", help="Layers that take part, comma-separated [default: all].")
@click.option("--images", type=int, help="Classify the first N test images [default: all].")
@click.option("--seed", type=int, default=0, show_default=True)
@data_dir
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@_outputs
def prune(layers: str | None, as_json: bool, masks: Path | None, weights: Path | None, program: Path | None,
          **options) -> None:
    """Prune a trained network and measure what is left."""
    from pruning import experiment, export
    from pruning.recipe import Recipe
    from pruning.rules import RULES

    values = {name: options.pop(name) for name in RULES}
    rules = {name: value for name, value in values.items() if value is not None}
    if len(rules) != 1:
        raise ValueError(f"give one of {', '.join(f'--{name}' for name in RULES)}")
    [(rule, value)] = rules.items()
    chosen = None if layers is None else [name.strip() for name in layers.split(",") if name.strip()]
    recipe = Recipe.from_dict({**options, "layers": chosen, "rule": rule, "value": value})
    _get_data(recipe.dataset)
    outcome = experiment.run(recipe)
    for path, save in ((masks, export.save_masks), (weights, export.save_weights), (program, export.save_program)):
        if path:
            save(recipe, path)
    click.echo(json.dumps(_as_json(outcome), indent=1) if as_json else _as_text(outcome))


def _as_json(outcome) -> dict:
    low, high = outcome.accuracy.interval
    layers = outcome.layers[["name", "weights", "kept", "sparsity", "threshold"]].astype(object)
    return {
        "recipe": outcome.recipe.to_dict(),
        "dense": {"accuracy": outcome.dense_accuracy, "parameters": outcome.dense.parameters,
                  "prunable_weights": outcome.dense.prunable_weights, "macs": outcome.dense.macs},
        "pruned": {"accuracy": outcome.accuracy.value, "accuracy_low": low, "accuracy_high": high,
                   "images": outcome.accuracy.images, "sparsity": outcome.sparsity,
                   "parameters": outcome.parameters, "macs": outcome.macs},
        "layers": layers.where(layers.notna(), None).to_dict("records"),
        "warnings": list(outcome.warnings),
        "seconds": round(outcome.seconds, 4),
    }


def _as_text(outcome) -> str:
    low, high = outcome.accuracy.interval
    interval = "" if outcome.accuracy.complete else f" (95% interval {low:.2%} to {high:.2%})"
    lines = [
        f"accuracy    {outcome.accuracy.value:.2%} of {outcome.accuracy.images:,} test images{interval}; "
        f"dense {outcome.dense_accuracy:.2%}",
        f"sparsity    {outcome.sparsity:.2%} of {outcome.dense.prunable_weights:,} prunable weights",
        f"parameters  {outcome.parameters:,} of {outcome.dense.parameters:,} left, {outcome.compression:.2f}x smaller",
        f"MACs        {outcome.macs:,} of {outcome.dense.macs:,} left",
        "", outcome.layers[["name", "shape", "weights", "kept", "sparsity", "threshold"]].to_string(
            index=False, formatters={"sparsity": "{:.2%}".format, "threshold": "{:.6f}".format}),
    ]
    return "\n".join([*lines, *(f"\nwarning: {text}" for text in outcome.warnings)])


def _get_data(name: str) -> None:
    """Download what is not there, with a progress bar."""
    from tqdm import tqdm

    from pruning import datasets, download

    if datasets.available(name):
        return
    dataset = datasets.DATASETS[name]
    with tqdm(total=dataset.download_bytes, unit="B", unit_scale=True, desc=dataset.label, disable=None) as bar:
        download.download(name, lambda share: bar.update(int(share * dataset.download_bytes) - bar.n))


@main.command()
@click.argument("name")
@data_dir
def download(name: str) -> None:
    """Fetch a dataset: mnist or cifar10."""
    from pruning import datasets

    _get_data(name)
    click.echo(f"{name} is {'built in' if not datasets.DATASETS[name].download_bytes else datasets.path_of(name)}")


@main.command()
@click.argument("network")
@click.argument("dataset")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--epochs", type=click.IntRange(min=1), help="[default: as the shipped checkpoints]")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path),
              help="Folder for weights and card [default: where the application looks for them].")
@data_dir
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
def train(network: str, dataset: str, seed: int, epochs: int | None, out: Path | None, as_json: bool) -> None:
    """Train a network; killed and started again, it goes on from the last epoch."""
    from tqdm import tqdm

    from pruning import checkpoints, training

    plan = replace(training.default_plan(network, dataset), seed=seed)
    plan = replace(plan, epochs=epochs) if epochs else plan
    _get_data(dataset)
    with tqdm(unit=" steps", desc=f"{network} on {dataset}", disable=None) as bar:
        def show(epoch: int, epochs: int, step: int, steps: int, loss: float) -> None:
            done = (epoch - 1) * steps + step
            if not bar.n and done > 1:
                bar.initial = bar.n = done - 1  # an interrupted run goes on: its steps do not count for the speed
            bar.total = epochs * steps
            bar.set_postfix(epoch=f"{epoch}/{epochs}", loss=f"{loss:.4f}", refresh=False)
            bar.update(done - bar.n)

        card = training.train(network, dataset, plan, out or checkpoints.FOLDER, show)
    click.echo(json.dumps(asdict(card), indent=1) if as_json else
               f"{network} on {dataset}: test accuracy {card.test_accuracy:.2%} ({card.test_correct:,} of "
               f"{card.test_images:,}), validation {card.validation_accuracy:.2%}, {card.seconds:.0f} s")


@main.command(name="list")
@click.argument("kind", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def list_(kind: str | None, as_json: bool) -> None:
    """What there is: networks, datasets, methods, criteria, rules or scopes; without a kind, all."""
    from pruning.criteria import CRITERIA
    from pruning.datasets import DATASETS
    from pruning.networks import NETWORKS
    from pruning.registry import Registry
    from pruning.rules import RULES, SCOPES
    from pruning.units import METHODS

    kinds = Registry("kind")
    for name, registry in (("networks", NETWORKS), ("datasets", DATASETS), ("methods", METHODS),
                           ("criteria", CRITERIA), ("rules", RULES), ("scopes", SCOPES)):
        kinds.add(name, registry)
    chosen = {kind: kinds[kind]} if kind else dict(kinds)
    if as_json:
        click.echo(json.dumps({name: {key: _described(entry) for key, entry in registry.items()}
                               for name, registry in chosen.items()}, indent=1))
        return
    for name, registry in chosen.items():
        click.secho(name, bold=True)
        for key, entry in registry.items():
            told = _described(entry)
            click.echo(f"  {key:14} {told.get('label', '')}{': ' if 'label' in told else ''}"
                       f"{told.get('help') or told.get('source', '')}")


def _described(entry) -> dict:
    """What JSON can say of a registry's entry."""
    if isinstance(entry, str):
        return {"help": entry}
    told = {field: getattr(entry, field) for field in entry.__dataclass_fields__ if field != "name"}
    return {field: value for field, value in told.items()
            if not callable(value) and value != float("inf") and value != ()}


def run(arguments: list[str] | None = None) -> int:
    """0 done, 1 something outside was not as it must be, 2 bad input; errors are one line on stderr."""
    try:
        check_torch()
        main.main(arguments, prog_name="python -m pruning", standalone_mode=False)
    except click.ClickException as error:
        click.echo(f"error: {error.format_message()}", err=True)
        return 2
    except ValueError as error:
        click.echo(f"error: {error}", err=True)
        return 2
    except (PrunescopeError, OSError) as error:
        click.echo(f"error: {error}", err=True)
        return 1
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(run())
