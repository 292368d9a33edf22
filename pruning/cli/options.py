"""What commands share: options, recipe files, progress bars and output."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from pruning.runtime.atomic_write import atomic_write
from pruning.runtime.defaults import (
    CLUSTER_VARIABLE,
    DEFAULT_CALIBRATION,
    DEFAULT_DATASET,
    DEFAULT_NETWORK,
    DEVICE_VARIABLE,
    DEVICES,
)
from pruning.runtime.installation import check_torch
from pruning.runtime.json_reader import read_json
from pruning.runtime.progress import ShareReport

if TYPE_CHECKING:
    import pandas as pd

    from pruning.recipe.recipe import Recipe

FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)


class TorchCommand(click.Command):
    """A command that needs PyTorch; its help does not."""

    def invoke(self, ctx: click.Context) -> Any:
        """Check the installation, then run the command."""
        check_torch()
        return super().invoke(ctx)


class Precision(click.ParamType):
    """``full``, or the half-width of a 95% interval."""

    name = "full|number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | None:
        """Convert the text of the option; None stands for ``full``."""
        if value is None or value == "full":
            return None
        try:
            return float(value)
        except ValueError:
            self.fail(f"must be full or a number such as 0.01, not {value!r}", param, ctx)


def _set_data_dir(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value:
        os.environ["PRUNESCOPE_DATA"] = value


def _set_runs_folder(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value:
        os.environ["PRUNESCOPE_RUNS"] = value


def _set_cluster(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value:
        os.environ[CLUSTER_VARIABLE] = value


def _set_device(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value:
        os.environ[DEVICE_VARIABLE] = value


network_option = click.option("--network", default=DEFAULT_NETWORK, show_default=True)
dataset_option = click.option("--dataset", default=DEFAULT_DATASET, show_default=True)
criterion_option = click.option(
    "--criterion",
    help="How units are scored [default: the first one that applies; see `list criteria`].",
)
calibration_option = click.option(
    "--calibration",
    type=int,
    help="Number of training images that criteria and recoveries may use "
    f"[default: {DEFAULT_CALIBRATION}].",
)
images_option = click.option(
    "--images", type=int, help="Classify only the first N test images [default: all]."
)
seed_option = click.option(
    "--seed", type=int, default=0, show_default=True, help="Seed of random criteria."
)
recovery_option = click.option(
    "--recovery",
    multiple=True,
    metavar="NAME",
    help="What happens to the remaining weights after the last step, without training: batch_norm "
    "or reconstruct; can be repeated [default: nothing].",
)
precision_option = click.option(
    "--precision",
    type=Precision(),
    default="full",
    show_default=True,
    help="Stop classifying for a point once the half-width of its 95% interval is below this "
    "number, such as 0.01.",
)
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(file_okay=False),
    callback=_set_data_dir,
    expose_value=False,
    is_eager=True,
    help="Folder of the datasets [default: PRUNESCOPE_DATA, else the user's cache].",
)
runs_folder_option = click.option(
    "--out",
    type=click.Path(file_okay=False),
    metavar="DIR",
    callback=_set_runs_folder,
    expose_value=False,
    is_eager=True,
    help="Folder of the runs [default: PRUNESCOPE_RUNS, else the user's data directory].",
)
cluster_option = click.option(
    "--cluster",
    metavar="ADDRESS",
    callback=_set_cluster,
    expose_value=False,
    is_eager=True,
    help="Scheduler of Dask, such as tcp://scheduler:8786 [default: PRUNESCOPE_CLUSTER, else this "
    "machine].",
)
device_option = click.option(
    "--device",
    type=click.Choice(DEVICES),
    callback=_set_device,
    expose_value=False,
    is_eager=True,
    help="Where many networks are evaluated together, and where networks are trained [default: "
    "PRUNESCOPE_DEVICE, else auto: a GPU if there is one].",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
csv_option = click.option("--csv", type=FILE, metavar="FILE", help="Write the table as CSV.")


def to_flag(name: str) -> str:
    """Return the flag of an option.

    Parameters
    ----------
    name : str
        Name of the parameter, such as ``max_over_n``.

    Returns
    -------
    str
        Such as ``--max-over-n``.
    """
    return f"--{name.replace('_', '-')}"


def given_options() -> set[str]:
    """Return the names of the options that the user has given.

    Returns
    -------
    set of str
        Names of parameters of the current command.
    """
    context = click.get_current_context()
    given = set()
    for name in context.params:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            given.add(name)
    return given


def read_recipes(path: Path, **overrides: Any) -> list["Recipe"]:
    """Read the recipes of a JSON file.

    Parameters
    ----------
    path : Path
        A file with a recipe, a list of steps, or a comparison with its columns.
    **overrides
        JSON fields that replace those of the file.

    Returns
    -------
    list of Recipe
        One recipe, or one for each column of a comparison.

    Raises
    ------
    ValueError
        The file is not JSON, or its content is not valid.
    OSError
        The file cannot be read.
    """
    from pruning.recipe.serialization import recipe_from_dict

    contents = _recipe_contents(read_json(path), path)
    return [recipe_from_dict({**content, **overrides}) for content in contents]


def _recipe_contents(content: object, path: Path) -> list[dict[str, Any]]:
    from pruning.experiments.comparison import read_comparison
    from pruning.recipe.serialization import recipe_to_dict

    if isinstance(content, list):
        return [{"steps": content}]
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold a recipe, a list of steps or a comparison")
    if "columns" not in content:
        return [content]
    recipes, _ = read_comparison(content)
    return [recipe_to_dict(recipe) for recipe in recipes]


@contextmanager
def progress_bar(description: str, delay: float = 0.0) -> Iterator[ShareReport]:
    """Show a progress bar on stderr, if it is a terminal.

    Parameters
    ----------
    description : str
        Text in front of the bar.
    delay : float
        Seconds until the bar is shown.

    Yields
    ------
    callable
        Takes the share of the work that is done.
    """
    from tqdm import tqdm

    with tqdm(total=100, unit="%", desc=description, disable=None, delay=delay) as bar:

        def report(share: float) -> None:
            bar.update(round(100 * share) - bar.n)

        yield report


def fetch_dataset(name: str) -> None:
    """Download a dataset that is not available, with a progress bar.

    Parameters
    ----------
    name : str
        Name in ``DATASETS``.

    Raises
    ------
    ValueError
        The name is not registered.
    DatasetError
        The dataset cannot be downloaded.
    """
    from tqdm import tqdm

    from pruning.data import datasets, download

    if datasets.available(name):
        return
    dataset = datasets.DATASETS[name]
    size = dataset.download_bytes
    with tqdm(total=size, unit="B", unit_scale=True, desc=dataset.label, disable=None) as bar:

        def report(share: float) -> None:
            bar.update(int(share * size) - bar.n)

        download.download(name, report)


def score_with_progress(recipe: "Recipe") -> None:
    """Compute the scores of a recipe that need data, with a progress bar if it takes a second.

    Parameters
    ----------
    recipe : Recipe
        Any recipe; the scores of all its steps are cached afterwards.
    """
    from pruning.engine.prune import rank_units
    from pruning.methods.criteria import CRITERIA

    for prefix in recipe.prefixes():
        criterion = CRITERIA[prefix.last_step.criterion]
        if criterion.needs_data:
            with progress_bar(f"scoring by {criterion.name}", delay=1) as report:
                rank_units(prefix, report)


def print_json(content: object) -> None:
    """Print JSON on stdout.

    Parameters
    ----------
    content : object
        JSON values.
    """
    click.echo(json.dumps(content, indent=1))


def table_to_text(table: "pd.DataFrame") -> str:
    """Format a table for a terminal.

    Parameters
    ----------
    table : pd.DataFrame
        Its column ``compression``, if it has one, is the effective one; the text says so.

    Returns
    -------
    str
        A line per row, without the index.
    """
    renamed = table.rename(columns={"compression": "effective_compression"})
    return renamed.to_string(index=False, float_format="{:.4f}".format)


def write_csv(table: "pd.DataFrame", path: Path | None) -> None:
    """Write a table, if a file was given for it.

    Parameters
    ----------
    table : pd.DataFrame
        The table; its index is not written.
    path : Path or None
        The file.
    """
    if path is None:
        return
    with atomic_write(path) as temporary:
        table.to_csv(temporary, index=False)
