"""prune: one recipe, from start to end."""

import json
from functools import partial
from pathlib import Path

import click

from pruning.cli.options import data_dir, flag, get_data, read_json, score


def _rule_options(command):
    from pruning.methods.rules import RULES

    for rule in reversed(list(RULES.values())):
        command = click.option(
            flag(rule.name), rule.name, type=str if rule.patterns else float, help=rule.help
        )(command)
    return command


def _outputs(command):
    for name, text in (
        ("program", "the masked network as a torch.export program"),
        ("weights", "the masked state dict"),
        ("masks", "the masks, uint8, 1 = kept"),
    ):
        path = click.Path(dir_okay=False, path_type=Path)
        command = click.option(f"--{name}", type=path, metavar="FILE", help=f"Write {text}.")(
            command
        )
    return command


@click.command()
@click.option("--network", default="lenet5", show_default=True)
@click.option("--dataset", default="mnist", show_default=True)
@click.option("--method", default="weight", show_default=True)
@click.option(
    "--criterion", help="What scores the units [default: the first that can; see `list criteria`]."
)
@click.option(
    "--measure",
    default="",
    help="Variant of the criterion, such as l2 for magnitude [default: the first].",
)
@click.option(
    "--grouping",
    default="",
    help="inside or across additions (filter, neuron); position or channel (feature).",
)
@click.option("--scope", default="global", show_default=True)
@_rule_options
@click.option("--layers", help="Layers that take part, comma-separated [default: all].")
@click.option(
    "--values",
    default="",
    help="With --scope custom: values of single layers, as conv1=0.3,fc1=0.9.",
)
@click.option(
    "--steps",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="JSON: a list of steps, or a whole recipe, instead of the options above.",
)
@click.option(
    "--calibration", type=int, help="Training images that criteria look at [default: 1024]."
)
@click.option("--images", type=int, help="Classify the first N test images [default: all].")
@click.option("--seed", type=int, default=0, show_default=True)
@data_dir
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--remove",
    is_flag=True,
    help="Take out what was pruned: smaller files, measured size and latency.",
)
@_outputs
def prune(
    as_json: bool,
    masks: Path | None,
    weights: Path | None,
    program: Path | None,
    remove: bool,
    **options,
) -> None:
    """Prune a trained network and measure what is left."""
    from pruning.cost import report as ledger
    from pruning.engine import export
    from pruning.engine import prune as experiment

    recipe = _recipe(options)
    get_data(recipe.dataset)
    score(recipe)
    outcome = experiment.run(recipe)
    for path, save in (
        (masks, export.save_masks),
        (weights, partial(export.save_weights, removed=remove)),
        (program, partial(export.save_program, removed=remove)),
    ):
        if path:
            save(recipe, path)
    book = ledger.ledger(recipe) if remove else None
    if as_json:
        click.echo(
            json.dumps(
                _as_json(outcome) if book is None else _with_removed(_as_json(outcome), book),
                indent=1,
            )
        )
    else:
        click.echo(_as_text(outcome) + ("" if book is None else _removed_as_text(book)))


def _recipe(options: dict):
    """What the options ask for; those that describe a step do not go with a file of steps."""
    from pruning.methods.rules import RULES
    from pruning.recipe.recipe import STEP, Recipe, criteria_for, read_values

    rules = {name: value for name in RULES if (value := options.pop(name)) is not None}
    about = {
        name: options[name]
        for name in ("network", "dataset", "images", "seed", "calibration")
        if options[name] is not None
    }
    given = {
        name
        for name in options
        if click.get_current_context().get_parameter_source(name).name == "COMMANDLINE"
    }
    if options["steps"]:
        if rules or given & set(STEP):
            raise ValueError(
                "--steps says what the steps are: leave out "
                + ", ".join(sorted({flag(name) for name in (*rules, *given & set(STEP))}))
            )
        read = read_json(options["steps"])
        if isinstance(read, list):
            return Recipe.from_dict({**about, "steps": read})
        if not isinstance(read, dict):
            raise ValueError(f"{options['steps']} must hold a list of steps or a recipe")
        return Recipe.from_dict(
            {**about, **read, **{name: about[name] for name in about if name in given}}
        )
    if len(rules) != 1:
        raise ValueError(f"give one of {', '.join(map(flag, RULES))}")
    [(rule, value)] = rules.items()
    step = {name: options[name] for name in ("method", "criterion", "measure", "grouping", "scope")}
    step["criterion"] = step["criterion"] or criteria_for(about["network"], step["method"])[0]
    layers = options["layers"]
    chosen = (
        None if layers is None else [name.strip() for name in layers.split(",") if name.strip()]
    )
    return Recipe.from_dict(
        {
            **about,
            **step,
            "layers": chosen,
            "values": read_values(options["values"]),
            "rule": rule,
            "value": value,
        }
    )


def _as_json(outcome) -> dict:
    low, high = outcome.accuracy.interval
    layers = outcome.layers[["name", "weights", "kept", "sparsity", "threshold"]].astype(object)
    return {
        "recipe": outcome.recipe.to_dict(),
        "dense": {
            "accuracy": outcome.dense_accuracy,
            "parameters": outcome.dense.parameters,
            "prunable_weights": outcome.dense.prunable_weights,
            "macs": outcome.dense.macs,
        },
        "pruned": {
            "accuracy": outcome.accuracy.value,
            "accuracy_low": low,
            "accuracy_high": high,
            "images": outcome.accuracy.images,
            "sparsity": outcome.sparsity,
            "parameters": outcome.parameters,
            "macs": outcome.macs,
        },
        "units": [
            {
                "method": step.method,
                "total": step.total,
                "removed": step.removed,
                "note": step.note or None,
            }
            for step in outcome.units
        ],
        "layers": layers.where(layers.notna(), None).to_dict("records"),
        "warnings": list(outcome.warnings),
        "seconds": round(outcome.seconds, 4),
    }


def _with_removed(told: dict, book) -> dict:
    told["pruned"] |= {"parameters": book.removed.parameters, "macs": book.removed.macs}
    forms = {"dense": book.dense, "masked": book.masked, "removed": book.removed}
    told["removed"] = {
        "max_logit_difference": book.difference,
        "images_compared": book.checked,
        "bytes": {name: entry.bytes for name, entry in forms.items()},
        "encoding": {name: entry.encoding for name, entry in forms.items()},
        "latency_ms": {
            f"batch_{dense.batch}": {
                name: {
                    "median": round(1000 * one.median, 4),
                    "low": round(1000 * one.low, 4),
                    "high": round(1000 * one.high, 4),
                    "runs": one.runs,
                }
                for name, one in (("dense", dense), ("removed", removed))
            }
            for dense, removed in zip(book.dense.latency, book.removed.latency)
        },
    }
    return told


def _removed_as_text(book) -> str:
    same = "the same" if book.agrees else "NOT THE SAME"
    return "\n".join(
        [
            "\n",
            book.table().to_string(index=False),
            f"\nlogits of masked and removed: {same}, largest difference {book.difference:.1e} on {book.checked:,} test images",
            *book.remarks,
        ]
    )


def _as_text(outcome) -> str:
    low, high = outcome.accuracy.interval
    interval = "" if outcome.accuracy.complete else f" (95% interval {low:.2%} to {high:.2%})"
    lines = [
        f"accuracy    {outcome.accuracy.value:.2%} of {outcome.accuracy.images:,} test images{interval}; "
        f"dense {outcome.dense_accuracy:.2%}",
        f"sparsity    {outcome.sparsity:.2%} of {outcome.dense.prunable_weights:,} prunable weights",
        f"parameters  {outcome.parameters:,} of {outcome.dense.parameters:,} left, {outcome.compression:.2f}x smaller",
        f"MACs        {outcome.macs:,} of {outcome.dense.macs:,} left",
        *(
            f"{step.method + 's':11} {step.removed:,} of {step.total:,} removed{'; ' if step.note else ''}{step.note}"
            for step in outcome.units
        ),
        "",
        outcome.layers[["name", "shape", "weights", "kept", "sparsity", "threshold"]].to_string(
            index=False, formatters={"sparsity": "{:.2%}".format, "threshold": "{:.6f}".format}
        ),
    ]
    return "\n".join([*lines, *(f"\nwarning: {text}" for text in outcome.warnings)])
