"""Helpers of the tests of the command line."""

import json
from pathlib import Path
from typing import Any

from pruning.cli.main import run

SMALL = ["--network", "lenet300", "--dataset", "digits"]
PRUNE_SMALL = ["prune", *SMALL]


def run_json(capsys, *arguments: str) -> Any:
    """Run a command with ``--json`` and parse what it prints."""
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def run_text(capsys, *arguments: str) -> str:
    """Run a command and return what it prints on stdout."""
    assert run(list(arguments)) == 0
    return capsys.readouterr().out


def error_of(capsys, *arguments: str, code: int = 2) -> str:
    """Run a command that fails; return its one line on stderr."""
    assert run(list(arguments)) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


def write_json(path: Path, content: object) -> str:
    """Write a JSON file and return its path as text."""
    path.write_text(json.dumps(content))
    return str(path)
