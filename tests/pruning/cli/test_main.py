"""The program: help, exit codes, entry points."""

import json
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import click
import pytest

from pruning.cli import main as program
from pruning.cli.main import main, main_and_exit, run
from pruning.recipe.recipe import Recipe
from pruning.runtime import installation
from tests.pruning.cli.common import PRUNE_SMALL, error_of, run_text

ROOT = Path(__file__).parents[3]
WITHOUT_TORCH = """
import sys
from pruning.cli.main import run
for arguments in {arguments}:
    assert run(arguments) == 0
assert "torch" not in sys.modules and "pandas" not in sys.modules
"""


def test_help_names_every_command_in_full(capsys):
    text = run_text(capsys, "--help")
    assert "..." not in text.partition("Commands:")[2]
    for name, command in main.commands.items():
        assert f"  {name} " in text
        assert command.help


def test_help_does_not_import_torch():
    names = [name for name in main.commands if name != "prune"]  # prune lists the rules
    arguments = [["--help"], *([name, "--help"] for name in names), ["store", "list", "-h"]]
    code = WITHOUT_TORCH.format(arguments=arguments)
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True)


@pytest.mark.parametrize("command", ["prune", "curve", "sensitivity", "plan"])
def test_help_shows_the_defaults_of_a_recipe(capsys, command):
    words = " ".join(run_text(capsys, command, "--help").split())
    assert f"[default: {Recipe().network}]" in words
    assert f"[default: {Recipe().dataset}]" in words
    if command != "curve":
        assert f"[default: {Recipe().calibration}]" in words


@pytest.mark.parametrize("arguments", [[], ["store"]])
def test_without_a_command_the_help_is_shown(capsys, arguments):
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Usage: python -m pruning")


@pytest.mark.slow
def test_stdout_is_json_alone():
    command = [sys.executable, "-m", "pruning", *PRUNE_SMALL, "--sparsity", "0.5", "--json"]
    process = subprocess.run(command, capture_output=True, cwd=ROOT)
    assert process.returncode == 0
    assert json.loads(process.stdout)["pruned"]["sparsity"] == 0.5
    assert process.stderr == b""


@pytest.mark.slow
def test_bad_input_is_status_2_of_the_process():
    command = [sys.executable, "-m", "pruning", *PRUNE_SMALL, "--sparsity", "2"]
    process = subprocess.run(command, capture_output=True, cwd=ROOT, text=True)
    assert process.returncode == 2
    assert process.stdout == ""
    assert process.stderr.startswith("error: sparsity must be between 0 and 1")


def test_the_installed_program_is_the_same_function():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, _, name = project["scripts"]["prunescope"].partition(":")
    assert getattr(import_module(module), name) is main_and_exit


def test_exit_code_of_the_entry_point(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["prunescope", "nope"])
    with pytest.raises(SystemExit) as exit_info:
        main_and_exit()
    assert exit_info.value.code == 2


@pytest.mark.parametrize(
    "error, code, message",
    [
        (KeyboardInterrupt(), 130, "stopped\n"),
        (click.Abort(), 130, "stopped\n"),
        (FileNotFoundError(2, "No such file", "x.json"), 1, "error: x.json: no such file\n"),
        (OSError(28, "No space left on device"), 1, "error: no space left on device\n"),
        (OSError("x is a pipe"), 1, "error: x is a pipe\n"),
        (ValueError("two\nlines"), 2, "error: two lines\n"),
    ],
)
def test_exit_codes(capsys, monkeypatch, error, code, message):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(program.main, "main", fail)
    assert run(["list"]) == code
    assert capsys.readouterr().err == message


def test_a_missing_checkpoint_is_status_1(capsys):
    options = ["--network", "resnet56", "--dataset", "digits", "--sparsity", "0.5"]
    message = error_of(capsys, "prune", *options, code=1)
    assert "python -m pruning train resnet56 digits" in message


@pytest.fixture
def broken_torchvision(monkeypatch):
    versions = {"torch": "2.13.0+cpu", "torchvision": "0.29.2"}
    installation.check_torch.cache_clear()
    monkeypatch.setattr(installation, "version", versions.__getitem__)
    monkeypatch.setitem(sys.modules, "torchvision", None)  # its import fails
    yield
    installation.check_torch.cache_clear()


def test_torch_and_torchvision_that_do_not_match(capsys, broken_torchvision):
    message = error_of(capsys, "prune", "--sparsity", "0.5", code=1)
    assert "torch 2.13.0+cpu and torchvision 0.29.2 do not work together" in message
    assert "torch==2.15.0" in message
    assert run(["--help"]) == 0 and run(["list"]) == 0
