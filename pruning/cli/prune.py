"""The command ``prune``: one recipe, from its options to its result."""

import time
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pruning.cli.options import (
    FILE,
    TorchCommand,
    calibration_option,
    criterion_option,
    data_dir_option,
    dataset_option,
    fetch_dataset,
    given_options,
    images_option,
    json_option,
    network_option,
    print_json,
    recovery_option,
    score_with_progress,
    seed_option,
    to_flag,
)
from pruning.cli.prune_output import (
    add_recovery,
    add_removal,
    onnx_to_text,
    removal_to_text,
    to_dict,
    to_text,
)
from pruning.runtime.installation import check_torch
from pruning.runtime.json_reader import read_json

if TYPE_CHECKING:
    from pruning.cost.report import CostReport
    from pruning.engine.evaluation import Evaluation
    from pruning.engine.onnx_file import OnnxCheck
    from pruning.engine.pruned_network import PrunedNetwork
    from pruning.recipe.recipe import Recipe

RECIPE_OPTIONS = ("network", "dataset", "calibration", "images", "seed", "recovery")
STEP_OPTIONS = ("method", "criterion", "measure", "grouping", "scope", "layers", "values")

Options = dict[str, Any]


class PruneCommand(TorchCommand):
    """A command with an option for each registered rule, after ``--scope``."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the parameters; those of the rules are added here, as they import PyTorch."""
        parameters = super().get_params(ctx)
        names = [parameter.name for parameter in parameters]
        position = names.index("scope") + 1
        return [*parameters[:position], *_rule_options(), *parameters[position:]]


@cache
def _rule_options() -> tuple[click.Option, ...]:
    check_torch()
    from pruning.methods.rules import RULES

    options = []
    for rule in RULES.values():
        value_type = str if rule.patterns else float
        flag = to_flag(rule.name)
        options.append(click.Option([flag, rule.name], type=value_type, help=rule.help))
    return tuple(options)


@click.command(cls=PruneCommand)
@network_option
@dataset_option
@click.option(
    "--method",
    default="weight",
    show_default=True,
    help="What is removed: weight, filter, neuron, layer or feature.",
)
@criterion_option
@click.option(
    "--measure",
    default="",
    help="Variant of the criterion, such as l2 for magnitude [default: the first one].",
)
@click.option(
    "--grouping",
    default="",
    help="inside or across residual additions (filter, neuron); single or subnetwork (layer); "
    "position or channel (feature) [default: the first one].",
)
@click.option(
    "--scope",
    default="global",
    show_default=True,
    help="What competes: global (all layers together), layer, erk or custom.",
)
@click.option(
    "--layers", help="Names of the layers that take part, comma-separated [default: all]."
)
@click.option(
    "--values",
    default="",
    help="With --scope custom: values of single layers, such as conv1=0.3,fc1=0.9.",
)
@click.option(
    "--steps",
    type=FILE,
    metavar="FILE",
    help="JSON file with a list of steps or a whole recipe, instead of the options above.",
)
@recovery_option
@calibration_option
@images_option
@seed_option
@data_dir_option
@json_option
@click.option(
    "--remove",
    is_flag=True,
    help="Remove pruned units physically: smaller files, measured size and latency.",
)
@click.option(
    "--masks", type=FILE, metavar="FILE", help="Write the masks as safetensors: uint8, 1 = kept."
)
@click.option(
    "--weights",
    type=FILE,
    metavar="FILE",
    help="Write the masked state dict, after recovery, as safetensors.",
)
@click.option(
    "--program",
    type=FILE,
    metavar="FILE",
    help="Write the masked network as a torch.export program.",
)
@click.option(
    "--sparse",
    type=FILE,
    metavar="FILE",
    help="Write the masked state dict as safetensors in compressed sparse rows.",
)
@click.option(
    "--pytorch",
    type=FILE,
    metavar="FILE",
    help="Write a ZIP archive of the smaller network, which plain PyTorch loads, and the masks.",
)
@click.option(
    "--report",
    "report_file",
    type=FILE,
    metavar="FILE",
    help="Write an HTML page with accuracy, costs, layers, figures and the recipe.",
)
@click.option(
    "--onnx",
    type=FILE,
    metavar="FILE",
    help="Write the masked network as an ONNX file, and compare it with onnxruntime.",
)
def prune(
    as_json: bool,
    remove: bool,
    masks: Path | None,
    weights: Path | None,
    program: Path | None,
    onnx: Path | None,
    sparse: Path | None,
    pytorch: Path | None,
    report_file: Path | None,
    **options: Any,
) -> None:
    """Prune a trained network and measure the result.

    Give one rule with its value, such as --sparsity 0.9, or a file with --steps.
    """
    from pruning.engine import export
    from pruning.engine.evaluate import evaluate
    from pruning.engine.own_files import load_own_from_environment
    from pruning.engine.prune import prune as prune_network
    from pruning.experiments.removal_report import report_removal

    load_own_from_environment()
    recipe = _read_recipe(options)
    fetch_dataset(recipe.dataset)
    score_with_progress(recipe)

    start = time.perf_counter()
    pruned = prune_network(recipe)
    [evaluation] = evaluate([recipe])
    masked_evaluation = None
    if recipe.recovery:
        [masked_evaluation] = evaluate([recipe.without_recovery])
    seconds = time.perf_counter() - start

    if masks is not None:
        export.save_masks(pruned, masks)
    if weights is not None:
        export.save_weights(pruned, weights, compact=remove)
    if program is not None:
        export.save_program(pruned, program, compact=remove)
    onnx_check = None if onnx is None else _write_onnx(pruned, onnx, remove=remove)
    if pytorch is not None:
        _write_archive(pruned, pytorch)
    if sparse is not None:
        export.save_sparse(pruned, sparse)
    costs = report_removal(recipe) if remove or report_file is not None else None
    if report_file is not None and costs is not None:
        _write_report(pruned, evaluation, costs, report_file)
    report = costs if remove else None
    if as_json:
        content = to_dict(pruned, evaluation, seconds)
        if masked_evaluation is not None:
            add_recovery(content, evaluation, masked_evaluation)
        if report is not None:
            add_removal(content, report)
        if onnx_check is not None:
            content["onnx"] = asdict(onnx_check)
        print_json(content)
    else:
        click.echo(to_text(pruned, evaluation, masked_evaluation))
        if report is not None:
            click.echo(removal_to_text(report))
        if onnx_check is not None:
            click.echo(onnx_to_text(onnx_check))


def _write_report(
    pruned: "PrunedNetwork", evaluation: "Evaluation", costs: "CostReport", path: Path
) -> None:
    from pruning.engine.evaluate import evaluate
    from pruning.figures.report import report_page
    from pruning.runtime.atomic_write import atomic_write

    [dense] = evaluate([pruned.recipe.unpruned])
    with atomic_write(path) as temporary:
        temporary.write_text(report_page(pruned, evaluation, dense, costs), encoding="utf-8")


def _write_archive(pruned: "PrunedNetwork", path: Path) -> None:
    from pruning.engine.network_folder import save_archive

    save_archive(pruned, path)


def _write_onnx(pruned: "PrunedNetwork", path: Path, *, remove: bool) -> "OnnxCheck":
    from pruning.engine.onnx_file import check_onnx, save_onnx

    form = "removed" if remove else "masked"
    save_onnx(pruned, path, form)
    return check_onnx(pruned, path, form)


def _read_recipe(options: Options) -> "Recipe":
    from pruning.methods.rules import RULES

    rule_values = {name: options[name] for name in RULES if options[name] is not None}
    if options["steps"] is not None:
        _refuse_step_options(list(rule_values))
        return _recipe_of_steps_file(options)
    if len(rule_values) != 1:
        raise ValueError(f"give one of {', '.join(to_flag(name) for name in RULES)}")
    [(rule, value)] = rule_values.items()
    return _recipe_of_options(options, rule, value)


def _recipe_of_options(options: Options, rule: str, value: float | str) -> "Recipe":
    from pruning.recipe.compatibility import criteria_for
    from pruning.recipe.serialization import parse_values, recipe_from_dict

    content = _recipe_fields(options)
    for name in ("method", "measure", "grouping", "scope"):
        content[name] = options[name]
    default_criterion = criteria_for(options["network"], options["method"])[0]
    content["criterion"] = options["criterion"] or default_criterion
    content["layers"] = _parse_layers(options["layers"])
    content["values"] = parse_values(options["values"])
    content["rule"] = rule
    content["value"] = value
    return recipe_from_dict(content)


def _recipe_fields(options: Options) -> dict[str, Any]:
    """Fields of a recipe other than its steps, as far as they are known."""
    fields = {name: options[name] for name in RECIPE_OPTIONS}
    return {name: value for name, value in fields.items() if value not in (None, ())}


def _parse_layers(text: str | None) -> list[str] | None:
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    return [name for name in names if name]


def _refuse_step_options(rules: list[str]) -> None:
    """Refuse options that describe a step: the file already does."""
    refused = rules + [name for name in given_options() if name in STEP_OPTIONS]
    if refused:
        flags = sorted(to_flag(name) for name in refused)
        raise ValueError(f"--steps already defines the steps: leave out {', '.join(flags)}")


def _recipe_of_steps_file(options: Options) -> "Recipe":
    """Read a list of steps, or a recipe; other options replace the fields of the recipe."""
    from pruning.recipe.serialization import recipe_from_dict

    path = options["steps"]
    fields = _recipe_fields(options)
    content = read_json(path)
    if isinstance(content, list):
        return recipe_from_dict({**fields, "steps": content})
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold a list of steps or a recipe")
    given = given_options()
    overrides = {name: value for name, value in fields.items() if name in given}
    return recipe_from_dict({**fields, **content, **overrides})
