"""The command ``runs``: retraining runs, finished or not."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pruning.cli.options import (
    FILE,
    TorchCommand,
    data_dir_option,
    json_option,
    print_json,
    runs_folder_option,
)
from pruning.cli.retrain import run_to_dict

if TYPE_CHECKING:
    from pruning.training.run_files import RunInfo


@click.group()
def runs() -> None:
    """List, show, export or delete retraining runs."""


@runs.command(name="list", cls=TorchCommand)
@runs_folder_option
@json_option
def list_runs(as_json: bool) -> None:
    """List the runs, newest first."""
    from pruning.engine.run_checkpoint import runs_folder
    from pruning.training import run_files

    found = run_files.list_runs()
    if as_json:
        print_json([_info_to_dict(info) for info in found])
        return
    for info in found:
        click.echo(_to_line(info))
    click.echo(f"{len(found)} runs in {runs_folder()}")


@runs.command(cls=TorchCommand)
@click.argument("name")
@runs_folder_option
@data_dir_option
@json_option
def show(name: str, as_json: bool) -> None:
    """Show a run: settings, accuracy and every epoch."""
    from pruning.training.run_files import RunFiles, read_run

    info = read_run(name)
    content = _info_to_dict(info)
    if info.state == "finished":
        content |= run_to_dict(RunFiles(name))
    elif info.spec is not None:
        content["epochs"] = [record.to_dict() for record in RunFiles(name).records()]
    if as_json:
        print_json(content)
        return
    click.echo(_to_line(info))
    for record in content.get("epochs", []):
        click.echo(
            f"  epoch {record['epoch']:>3}  round {record['round']:>2}  "
            f"loss {record['loss']:.4f}  train {record['train_accuracy']:.4f}  "
            f"validation {record['validation_accuracy']:.4f}  sparsity {record['sparsity']:.4f}  "
            f"{record['seconds']:.1f} s  {record['series']}".rstrip()
        )


@runs.command(cls=TorchCommand)
@click.argument("name")
@click.argument("file", type=FILE)
@runs_folder_option
def export(name: str, file: Path) -> None:
    """Write a finished run into a ZIP archive."""
    from pruning.training.run_files import RunFiles

    RunFiles(name).export(file)
    click.echo(f"{name} is in {file}")


@runs.command(cls=TorchCommand)
@click.argument("names", nargs=-1, required=True)
@runs_folder_option
def delete(names: tuple[str, ...]) -> None:
    """Delete runs."""
    from pruning.training.run_files import RunFiles

    for name in names:
        RunFiles(name).delete()
        click.echo(f"{name} is deleted")


def _info_to_dict(info: "RunInfo") -> dict[str, Any]:
    from pruning.training.spec import spec_to_dict

    return {
        "name": info.name,
        "state": info.state,
        "created": info.created,
        "finished_epochs": info.epochs,
        "spec": None if info.spec is None else spec_to_dict(info.spec),
        "accuracy": None if info.card is None else info.card.test_accuracy,
        "problem": info.problem,
    }


def _to_line(info: "RunInfo") -> str:
    accuracy = "" if info.card is None else f"test accuracy {info.card.test_accuracy:.2%}"
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(info.created))
    parts = [f"{info.name:44}", f"{info.state:8}", f"{info.epochs:>4} epochs", made, accuracy]
    return "  ".join([*parts, info.problem]).rstrip()
