"""The command ``sensitivity``: each layer pruned alone; also the scan that ``plan`` begins with."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pruning.cli.options import (
    TorchCommand,
    calibration_option,
    cluster_option,
    criterion_option,
    csv_option,
    data_dir_option,
    dataset_option,
    device_option,
    fetch_dataset,
    json_option,
    network_option,
    precision_option,
    print_json,
    progress_bar,
    recovery_option,
    score_with_progress,
    seed_option,
    write_csv,
)

if TYPE_CHECKING:
    from pruning.experiments.sensitivity import SensitivityScan

MAX_LEVELS = 100

Function = TypeVar("Function", bound=Callable[..., Any])

SCAN_OPTIONS = (
    network_option,
    dataset_option,
    click.option(
        "--method",
        default="weight",
        show_default=True,
        help="What is removed: weight, neuron or filter.",
    ),
    criterion_option,
    click.option(
        "--grouping",
        default="",
        help="inside or across residual additions (filter, neuron) [default: inside].",
    ),
    recovery_option,
    calibration_option,
    seed_option,
    precision_option,
    click.option(
        "--levels",
        type=int,
        default=10,
        show_default=True,
        help="Number of evenly spaced sparsities, up to 100%.",
    ),
)


def scan_options(function: Function) -> Function:
    """Add the options of a sensitivity scan to a command; the arguments of `run_scan`.

    Parameters
    ----------
    function : callable
        The function of the command.

    Returns
    -------
    callable
        The function with its options.
    """
    for option in reversed(SCAN_OPTIONS):
        function = option(function)
    return function


def run_scan(
    *,
    network: str,
    dataset: str,
    method: str,
    criterion: str | None,
    grouping: str,
    recovery: tuple[str, ...],
    calibration: int | None,
    seed: int,
    precision: float | None,
    levels: int,
) -> "SensitivityScan":
    """Prune each layer alone, with a progress bar.

    Parameters
    ----------
    network, dataset, method : str
        As of `Recipe` and `Step`.
    criterion : str or None
        As of `Step`; None selects the first one that applies.
    grouping : str
        As of `Step`.
    recovery : tuple of str
        As of `Recipe`.
    calibration : int or None
        As of `Recipe`; None selects the default.
    seed : int
        As of `Recipe`.
    precision : float or None
        As of `evaluate`.
    levels : int
        Number of sparsities.

    Returns
    -------
    SensitivityScan
        Complete.

    Raises
    ------
    ValueError
        An argument is not valid.
    """
    from pruning.experiments.sensitivity import scan_layers
    from pruning.recipe.compatibility import criteria_for
    from pruning.recipe.recipe import DEFAULT_CALIBRATION, Recipe

    if not 1 <= levels <= MAX_LEVELS:
        raise ValueError(f"levels must be a whole number from 1 to {MAX_LEVELS}, not {levels}")
    recipe = Recipe.one_step(
        network,
        dataset,
        calibration=DEFAULT_CALIBRATION if calibration is None else calibration,
        seed=seed,
        recovery=recovery,
        method=method,
        criterion=criterion or criteria_for(network, method)[0],
        grouping=grouping,
    )
    fetch_dataset(dataset)
    score_with_progress(recipe)
    with progress_bar("scanning") as report:
        return scan_layers(
            recipe,
            lambda scan, share: report(share),
            levels=[(index + 1) / levels for index in range(levels)],
            precision=precision,
        )


@click.command(cls=TorchCommand)
@scan_options
@cluster_option
@device_option
@data_dir_option
@json_option
@csv_option
def sensitivity(as_json: bool, csv: Path | None, **options: Any) -> None:
    """Prune each layer alone and measure the accuracy.

    The accuracy is measured on validation images.
    """
    scan = run_scan(**options)
    table = scan.table()
    write_csv(table, csv)
    if as_json:
        print_json(_to_dict(scan))
    elif csv is None:
        click.echo(scan.accuracies.to_string(float_format=lambda value: f"{value:.4f}"))
        click.echo(f"most sensitive first: {', '.join(scan.order)}")


def _to_dict(scan: "SensitivityScan") -> dict[str, Any]:
    from pruning.recipe.serialization import recipe_to_dict

    assert scan.dense is not None  # the scan is complete
    return {
        "recipe": recipe_to_dict(scan.recipe),
        "dense": scan.dense.accuracy.value,
        "order": scan.order,
        "points": scan.table().to_dict("records"),
    }
