"""The command ``retrain``: prune a network and train what remains."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pruning.cli.options import (
    FILE,
    TorchCommand,
    calibration_option,
    cluster_option,
    criterion_option,
    data_dir_option,
    dataset_option,
    device_option,
    fetch_dataset,
    given_options,
    json_option,
    network_option,
    print_json,
    read_recipes,
    recovery_option,
    runs_folder_option,
)
from pruning.runtime.defaults import MAX_SEED

if TYPE_CHECKING:
    from pruning.recipe.recipe import Recipe
    from pruning.training.spec import RunSpec

STEP_OPTIONS = ("method", "criterion", "measure", "grouping", "scope", "target")
SPEC_OPTIONS = (
    "epochs",
    "rounds",
    "learning_rate",
    "batch_size",
    "weight_decay",
    "seed",
    "rewind_rate",
    "distillation",
    "temperature",
)


@click.command(cls=TorchCommand)
@network_option
@dataset_option
@click.option(
    "--schedule",
    default="finetune",
    show_default=True,
    help="How pruning and training follow each other; see `list schedules`.",
)
@click.option("--method", default="weight", show_default=True, help="What is removed.")
@criterion_option
@click.option("--measure", default="", help="Variant of the criterion [default: the first one].")
@click.option("--grouping", default="", help="As of `prune` [default: the first one].")
@click.option(
    "--scope",
    default="global",
    show_default=True,
    help="What competes: global (all layers together), layer or erk.",
)
@click.option(
    "--target", type=float, help="Share of the units that is removed in the end, such as 0.92."
)
@click.option(
    "--steps",
    type=FILE,
    metavar="FILE",
    help="JSON file with a list of steps or a whole recipe, instead of the options above.",
)
@click.option(
    "--checkpoint", default="", metavar="RUN", help="Start from the network of a finished run."
)
@recovery_option
@calibration_option
@click.option("--rounds", type=int, help="Number of rounds, for schedules that have them.")
@click.option("--epochs", type=int, help="Epochs of each round, or of the run.")
@click.option("--learning-rate", type=float, help="Peak of the learning rate.")
@click.option("--batch-size", type=int, help="Images of a step.")
@click.option("--weight-decay", type=float, help="L2 penalty of all parameters.")
@click.option(
    "--rewind-rate",
    is_flag=True,
    help="Repeat the last learning rates of the training from scratch (finetune, iterative).",
)
@click.option(
    "--distillation",
    type=float,
    help="Share of the dense network's outputs in the loss, 0 to 1 [default: 0].",
)
@click.option("--temperature", type=float, help="Of the distillation [default: 4].")
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="Setting of the schedule, such as interval=50; can be repeated.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, MAX_SEED),
    default=0,
    show_default=True,
    metavar="INTEGER",
    help="Seed of the order of the images and their augmentation, and of random criteria.",
)
@cluster_option
@device_option
@runs_folder_option
@data_dir_option
@json_option
def retrain(as_json: bool, **options: Any) -> None:
    """Prune a network and train what remains.

    The state is saved after each epoch: the same command continues an interrupted run. Settings
    that are not given are the usual ones of the network.
    """
    from pruning.engine.cluster import cluster_address
    from pruning.training.cluster_runs import retrain_on_cluster
    from pruning.training.retrain import retrain as run_retraining
    from pruning.training.run import RunProgress
    from pruning.training.run_files import RunFiles

    spec = _read_spec(options)
    fetch_dataset(spec.recipe.dataset)
    from tqdm import tqdm

    with tqdm(total=1000, desc=spec.name, disable=None, bar_format=_BAR) as bar:

        def report(progress: RunProgress) -> None:
            bar.set_postfix_str(_describe_progress(progress), refresh=False)
            bar.update(int(1000 * progress.share) - bar.n)

        if cluster_address():
            retrain_on_cluster([spec], lambda share: bar.update(int(1000 * share) - bar.n))
        else:
            run_retraining(spec, report=report)
    content = run_to_dict(RunFiles(spec.name))
    if as_json:
        print_json(content)
        return
    final, dense = content["final"], content["dense"]
    parameters = f"{final['effective_parameters']:,} effective parameters"
    click.echo(
        f"{spec.name}: test accuracy {final['accuracy']:.2%} (dense {dense['accuracy']:.2%}), "
        f"sparsity {final['sparsity']:.2%}, {parameters}, "
        f"{len(content['epochs'])} epochs, {content['seconds']:.0f} s"
    )


_BAR = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining} {postfix}"


def _describe_progress(progress: Any) -> str:
    text = f"epoch {progress.epoch}/{progress.epochs}, loss {progress.loss:.4f}"
    if progress.records:
        text += f", validation {progress.records[-1].validation_accuracy:.2%}"
    return text


def run_to_dict(files: Any) -> dict[str, Any]:
    """Describe a finished run as JSON values.

    Parameters
    ----------
    files : RunFiles
        Of the run.

    Returns
    -------
    dict
        Recipe, schedule, accuracies, every epoch, seconds and device.

    Raises
    ------
    CheckpointError, RunError
        If the run is not finished or cannot be read.
    """
    from pruning.engine.evaluate import evaluate
    from pruning.engine.trained_network import trained_card
    from pruning.recipe.serialization import recipe_to_dict
    from pruning.training.retrain import recipe_of_run
    from pruning.training.spec import spec_to_dict

    spec, card, records = files.spec(), files.card(), files.records()
    [final] = evaluate([recipe_of_run(spec)])
    dense = trained_card(replace(spec.recipe, checkpoint=""))
    settings = spec_to_dict(spec)
    del settings["recipe"]
    return {
        "name": files.name,
        "recipe": recipe_to_dict(spec.recipe),
        "schedule": settings,
        "dense": {
            "accuracy": dense.test_accuracy,
            "validation_accuracy": dense.validation_accuracy,
            "parameters": final.dense.parameters,
            "macs": final.dense.macs,
        },
        "final": {
            "accuracy": final.accuracy.value,
            "correct": final.tally.correct,
            "images": final.tally.images,
            "validation_accuracy": card.validation_accuracy,
            "sparsity": final.sparsity,
            "masked_parameters": final.masked.parameters,
            "effective_parameters": final.effective.parameters,
            "effective_macs": final.effective.macs,
        },
        "epochs": [record.to_dict() for record in records],
        "seconds": card.seconds,
        "device": files.device(),
    }


def _read_spec(options: dict[str, Any]) -> "RunSpec":
    from pruning.training.schedules import SCHEDULES
    from pruning.training.spec import default_spec

    SCHEDULES.require(options["schedule"])
    changes = {name: options[name] for name in SPEC_OPTIONS if options[name] is not None}
    pairs = tuple(_parse_option(text) for text in options["options"])
    return default_spec(_read_recipe(options), options["schedule"], options=pairs, **changes)


def _parse_option(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise ValueError(f"--option must be like interval=50, not {text[:40]!r}")
    return name.strip(), value.strip()


def _read_recipe(options: dict[str, Any]) -> "Recipe":
    from pruning.recipe.compatibility import criteria_for
    from pruning.recipe.serialization import recipe_from_dict

    fields = {name: options[name] for name in ("network", "dataset", "seed")}
    for name in ("calibration", "recovery", "checkpoint"):
        if options[name]:
            fields[name] = options[name]
    if options["steps"] is not None:
        return _recipe_of_file(options["steps"], fields)
    if options["target"] is None:
        raise ValueError("give --target, the share of the units to remove, or a file with --steps")
    default_criterion = criteria_for(options["network"], options["method"])[0]
    step = {name: options[name] for name in ("method", "measure", "grouping", "scope")}
    step["criterion"] = options["criterion"] or default_criterion
    return recipe_from_dict({**fields, **step, "rule": "sparsity", "value": options["target"]})


def _recipe_of_file(path: Path, fields: dict[str, Any]) -> "Recipe":
    """Read a recipe; options that were given replace its fields."""
    refused = sorted(given_options() & set(STEP_OPTIONS))
    if refused:
        raise ValueError(f"--steps already defines the steps: leave out --{', --'.join(refused)}")
    overrides = {name: value for name, value in fields.items() if name in given_options()}
    recipes = read_recipes(path, **overrides)
    if len(recipes) != 1:
        raise ValueError(f"{path} holds {len(recipes)} recipes: give a file with one")
    return recipes[0]
