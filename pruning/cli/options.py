"""What commands share: options, recipe files, data that is fetched, slow scores with a bar."""

import json
from pathlib import Path

import click


def _set_data_dir(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value:
        import os

        os.environ["PRUNESCOPE_DATA"] = value


data_dir = click.option(
    "--data-dir",
    type=click.Path(file_okay=False),
    callback=_set_data_dir,
    expose_value=False,
    is_eager=True,
    help="Folder of the datasets [default: PRUNESCOPE_DATA, else the user's cache].",
)


def flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def read_json(path: Path):
    try:
        return json.loads(path.read_text())
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON ({error})") from None


def objects(path: Path) -> list[dict]:
    """Of a recipe file: a recipe, a list of steps, or a comparison with its columns."""
    read = read_json(path)
    if isinstance(read, dict) and isinstance(read.get("columns"), list):
        return [
            column["recipe"]
            for column in read["columns"]
            if isinstance(column, dict) and isinstance(column.get("recipe"), dict)
        ]
    if isinstance(read, list):
        return [{"steps": read}]
    if not isinstance(read, dict):
        raise ValueError(f"{path} must hold a recipe, a list of steps or a comparison")
    return [read]


def score(recipe) -> None:
    """Scores that are slow to come by, with a progress bar."""
    from tqdm import tqdm

    from pruning.engine import prune as experiment
    from pruning.methods.criteria import CRITERIA

    if recipe.before:
        score(recipe.before)
    if not CRITERIA[recipe.criterion].needs_data:
        return
    with tqdm(
        total=100, unit="%", desc=f"scoring by {recipe.criterion}", disable=None, delay=1
    ) as bar:
        experiment.ranking(recipe, lambda share: bar.update(round(100 * share) - bar.n))


def get_data(name: str) -> None:
    """Download what is not there, with a progress bar."""
    from tqdm import tqdm

    from pruning.data import datasets, download

    if datasets.available(name):
        return
    dataset = datasets.DATASETS[name]
    with tqdm(
        total=dataset.download_bytes, unit="B", unit_scale=True, desc=dataset.label, disable=None
    ) as bar:
        download.download(
            name, lambda share: bar.update(int(share * dataset.download_bytes) - bar.n)
        )
