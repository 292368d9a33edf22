"""The command ``table``: every criterion on every trained network."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pruning.cli.options import FILE, TorchCommand, cluster_option, data_dir_option, device_option

if TYPE_CHECKING:
    from pruning.recipe.recipe import Recipe


@click.command(cls=TorchCommand)
@click.option(
    "--out",
    type=FILE,
    metavar="FILE",
    help="CSV file to write or to continue [default: the table of this version].",
)
@cluster_option
@device_option
@data_dir_option
def table(out: Path | None) -> None:
    """Measure the reference table.

    It holds every criterion on every trained network at 50, 80 and 90%, on full test sets. An
    interrupted command continues where it stopped.
    """
    from tqdm import tqdm

    from pruning.experiments import reference_table

    path = out or reference_table.FILE
    _check_table(path)
    with tqdm(unit=" rows", disable=None) as bar:

        def report(done: int, total: int, recipe: "Recipe") -> None:
            step = recipe.last_step
            bar.total = total
            bar.set_postfix_str(f"{recipe.network} {step.method} {step.criterion}", refresh=False)
            bar.update(done - bar.n)

        reference_table.write_table(path, report)
    click.echo(f"{path} is complete")


def _check_table(path: Path) -> None:
    """Check that an existing file can be continued, before it is replaced."""
    from pruning.experiments.reference_table import read_table

    try:
        read_table(path)
    except (KeyError, TypeError, ValueError, csv.Error):
        raise ValueError(
            f"{path} exists and is not a reference table: choose another file"
        ) from None
