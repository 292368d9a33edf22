"""The command ``plan``: a sparsity for each layer."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pruning.cli.options import (
    FILE,
    TorchCommand,
    cluster_option,
    data_dir_option,
    device_option,
    json_option,
    print_json,
    progress_bar,
    table_to_text,
)
from pruning.cli.sensitivity import run_scan, scan_options
from pruning.runtime.atomic_write import atomic_write

if TYPE_CHECKING:
    from pruning.experiments.sparsity_plan import SparsityPlan
    from pruning.recipe.recipe import Recipe


@click.command(cls=TorchCommand)
@click.option(
    "--lose",
    type=float,
    required=True,
    help="Percentage points of validation accuracy that may be lost, such as 1.0.",
)
@scan_options
@click.option(
    "--out", type=FILE, metavar="FILE", help="Write the planned recipe, for `prune --steps`."
)
@cluster_option
@device_option
@data_dir_option
@json_option
def plan(lose: float, out: Path | None, as_json: bool, **options: Any) -> None:
    """Plan a sparsity for each layer.

    The plan starts from the best of global, uniform, ERK and LAMP pruning and of a sensitivity
    scan, is refined layer by layer, and keeps the validation accuracy, after recovery if there is
    one, within the given loss. The others are measured at its size; none is more accurate on the
    validation images.
    """
    from pruning.experiments.sparsity_plan import plan_sparsities

    scan = run_scan(**options)
    with progress_bar("planning") as report:
        result = plan_sparsities(scan, lose, report)
    if out is not None:
        _write_recipe(result.plan.recipe, out)
    if as_json:
        print_json(_to_dict(result))
    else:
        click.echo(_to_text(result))


def _write_recipe(recipe: "Recipe", path: Path) -> None:
    from pruning.recipe.serialization import recipe_to_dict

    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(recipe_to_dict(recipe), indent=1) + "\n")


def _to_dict(result: "SparsityPlan") -> dict[str, Any]:
    from pruning.recipe.serialization import recipe_to_dict

    return {
        "lose": result.max_loss,
        "dense_validation": result.dense_validation,
        "recipe": recipe_to_dict(result.plan.recipe),
        "plans": result.table().to_dict("records"),
    }


def _to_text(result: "SparsityPlan") -> str:
    table = table_to_text(result.table())
    sparsities = [f"{layer}={share:.4g}" for layer, share in result.plan.sparsities.items()]
    return f"{table}\nsparsities  {', '.join(sparsities)}"
