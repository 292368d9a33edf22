"""The command line: the same path as the pages."""

import json
import sys
from dataclasses import asdict, replace
from functools import partial
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
        command = click.option(_flag(rule.name), rule.name, type=str if rule.options else float, help=rule.help)(command)
    return command


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


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
@click.option("--criterion", help="What scores the units [default: the first that can; see `list criteria`].")
@click.option("--measure", default="", help="Variant of the criterion, such as l2 for magnitude [default: the first].")
@click.option("--grouping", default="", help="inside or across additions (filter, neuron); position or channel (feature).")
@click.option("--scope", default="global", show_default=True)
@_rule_options
@click.option("--layers", help="Layers that take part, comma-separated [default: all].")
@click.option("--values", default="", help="With --scope custom: values of single layers, as conv1=0.3,fc1=0.9.")
@click.option("--steps", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="JSON: a list of steps, or a whole recipe, instead of the options above.")
@click.option("--calibration", type=int, help="Training images that criteria look at [default: 1024].")
@click.option("--images", type=int, help="Classify the first N test images [default: all].")
@click.option("--seed", type=int, default=0, show_default=True)
@data_dir
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--remove", is_flag=True, help="Take out what was pruned: smaller files, measured size and latency.")
@_outputs
def prune(as_json: bool, masks: Path | None, weights: Path | None, program: Path | None, remove: bool, **options) -> None:
    """Prune a trained network and measure what is left."""
    from pruning import experiment, export, ledger

    recipe = _recipe(options)
    _get_data(recipe.dataset)
    _score(recipe)
    outcome = experiment.run(recipe)
    for path, save in ((masks, export.save_masks), (weights, partial(export.save_weights, removed=remove)),
                       (program, partial(export.save_program, removed=remove))):
        if path:
            save(recipe, path)
    book = ledger.ledger(recipe) if remove else None
    if as_json:
        click.echo(json.dumps(_as_json(outcome) if book is None else _with_removed(_as_json(outcome), book), indent=1))
    else:
        click.echo(_as_text(outcome) + ("" if book is None else _removed_as_text(book)))


def _recipe(options: dict):
    """What the options ask for; those that describe a step do not go with a file of steps."""
    from pruning.recipe import STEP, Recipe, criteria_for, read_values
    from pruning.rules import RULES

    rules = {name: value for name in RULES if (value := options.pop(name)) is not None}
    about = {name: options[name] for name in ("network", "dataset", "images", "seed", "calibration")
             if options[name] is not None}
    given = {name for name in options if click.get_current_context().get_parameter_source(name).name == "COMMANDLINE"}
    if options["steps"]:
        if rules or given & set(STEP):
            raise ValueError("--steps says what the steps are: leave out "
                             + ", ".join(sorted({_flag(name) for name in (*rules, *given & set(STEP))})))
        read = _read_json(options["steps"])
        if isinstance(read, list):
            return Recipe.from_dict({**about, "steps": read})
        if not isinstance(read, dict):
            raise ValueError(f"{options['steps']} must hold a list of steps or a recipe")
        return Recipe.from_dict({**about, **read, **{name: about[name] for name in about if name in given}})
    if len(rules) != 1:
        raise ValueError(f"give one of {', '.join(map(_flag, RULES))}")
    [(rule, value)] = rules.items()
    step = {name: options[name] for name in ("method", "criterion", "measure", "grouping", "scope")}
    step["criterion"] = step["criterion"] or criteria_for(about["network"], step["method"])[0]
    layers = options["layers"]
    chosen = None if layers is None else [name.strip() for name in layers.split(",") if name.strip()]
    return Recipe.from_dict({**about, **step, "layers": chosen, "values": read_values(options["values"]), "rule": rule,
                             "value": value})


def _read_json(path: Path):
    try:
        return json.loads(path.read_text())
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON ({error})") from None


def _score(recipe) -> None:
    """Scores that are slow to come by, with a progress bar."""
    from tqdm import tqdm

    from pruning import experiment
    from pruning.criteria import CRITERIA

    if recipe.before:
        _score(recipe.before)
    if not CRITERIA[recipe.criterion].images:
        return
    with tqdm(total=100, unit="%", desc=f"scoring by {recipe.criterion}", disable=None, delay=1) as bar:
        experiment.ranking(recipe, lambda share: bar.update(round(100 * share) - bar.n))


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
        "units": [{"method": step.method, "total": step.total, "removed": step.removed, "note": step.note or None}
                  for step in outcome.units],
        "layers": layers.where(layers.notna(), None).to_dict("records"),
        "warnings": list(outcome.warnings),
        "seconds": round(outcome.seconds, 4),
    }


def _with_removed(told: dict, book) -> dict:
    told["pruned"] |= {"parameters": book.removed.parameters, "macs": book.removed.macs}
    forms = {"dense": book.dense, "masked": book.masked, "removed": book.removed}
    told["removed"] = {
        "max_logit_difference": book.difference, "images_compared": book.checked,
        "bytes": {name: entry.bytes for name, entry in forms.items()},
        "encoding": {name: entry.encoding for name, entry in forms.items()},
        "latency_ms": {f"batch_{dense.batch}": {
            name: {"median": round(1000 * one.median, 4), "low": round(1000 * one.low, 4), "high": round(1000 * one.high, 4),
                   "runs": one.runs} for name, one in (("dense", dense), ("removed", removed))}
            for dense, removed in zip(book.dense.latency, book.removed.latency)},
    }
    return told


def _removed_as_text(book) -> str:
    same = "the same" if book.agrees else "NOT THE SAME"
    return "\n".join([
        "\n", book.table().to_string(index=False),
        f"\nlogits of masked and removed: {same}, largest difference {book.difference:.1e} on {book.checked:,} test images",
        *book.remarks])


def _as_text(outcome) -> str:
    low, high = outcome.accuracy.interval
    interval = "" if outcome.accuracy.complete else f" (95% interval {low:.2%} to {high:.2%})"
    lines = [
        f"accuracy    {outcome.accuracy.value:.2%} of {outcome.accuracy.images:,} test images{interval}; "
        f"dense {outcome.dense_accuracy:.2%}",
        f"sparsity    {outcome.sparsity:.2%} of {outcome.dense.prunable_weights:,} prunable weights",
        f"parameters  {outcome.parameters:,} of {outcome.dense.parameters:,} left, {outcome.compression:.2f}x smaller",
        f"MACs        {outcome.macs:,} of {outcome.dense.macs:,} left",
        *(f"{step.method + 's':11} {step.removed:,} of {step.total:,} removed{'; ' if step.note else ''}{step.note}"
          for step in outcome.units),
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


@main.command()
@click.argument("recipes", nargs=-1, required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--budget", default="own", show_default=True,
              help="macs=0.5 or parameters=0.25 (shares left), accuracy=0.98 (kept on validation images), or own.")
@click.option("--images", type=int, help="Classify the first N test images [default: all].")
@data_dir
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--csv", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write the table.")
def compare(recipes: tuple[Path, ...], budget: str, images: int | None, as_json: bool, csv: Path | None) -> None:
    """Recipes from JSON files side by side, each as strong as the budget asks."""
    from pruning import compare as comparing
    from pruning.files import whole
    from pruning.recipe import Recipe

    asked = comparing.Budget.read(budget)
    read = [Recipe.from_dict({**one, **({} if images is None else {"images": images})})
            for path in recipes for one in _objects(path)]
    comparing.check(read)
    _get_data(read[0].dataset)
    for recipe in read:
        _score(recipe)
    found = comparing.Comparison.of(read, asked)
    if csv:
        with whole(csv) as temporary:
            found.table().to_csv(temporary, index=False)
    click.echo(json.dumps(found.to_dict(), indent=1) if as_json else found.as_text())


def _objects(path: Path) -> list[dict]:
    """Of a recipe file: a recipe, a list of steps, or a comparison with its columns."""
    read = _read_json(path)
    if isinstance(read, dict) and isinstance(read.get("columns"), list):
        return [column["recipe"] for column in read["columns"] if isinstance(column, dict) and isinstance(column.get("recipe"), dict)]
    if isinstance(read, list):
        return [{"steps": read}]
    if not isinstance(read, dict):
        raise ValueError(f"{path} must hold a recipe, a list of steps or a comparison")
    return [read]


@main.command()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="[default: the table of this version]")
@data_dir
def table(out: Path | None) -> None:
    """Measure every criterion at 50, 80 and 90% on all real data; stopped and started again, it goes on."""
    from tqdm import tqdm

    from pruning import regression

    path = out or regression.FILE
    with tqdm(unit=" rows", disable=None) as bar:
        def show(done: int, total: int, recipe) -> None:
            bar.total = total
            bar.set_postfix_str(f"{recipe.network} {recipe.method} {recipe.criterion}", refresh=False)
            bar.update(done - bar.n)

        regression.write(path, show)
    click.echo(f"{path} is complete")


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
            scored = f" [{', '.join(told['applies_to'])}]" if "applies_to" in told else ""
            click.echo(f"  {key:18} {told.get('label', '')}{scored}{': ' if 'label' in told else ''}"
                       f"{told.get('help') or told.get('source', '')}")


def _described(entry) -> dict:
    """What JSON can say of a registry's entry."""
    if isinstance(entry, str):
        return {"help": entry}
    told = {field: getattr(entry, field) for field in entry.__dataclass_fields__ if field != "name"}
    return {field: value for field, value in told.items()
            if not callable(value) and value not in (float("inf"), -float("inf"), (), {}, "", False)}


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
