"""The address of ``make app``: this machine only, unless the user opens it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make")


def server_command(**variables: str) -> str:
    """Return the command that ``make app`` runs with some environment variables."""
    environment = dict(os.environ)
    for name in ("HOST", "PORT", "MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
        environment.pop(name, None)
    finished = subprocess.run(
        ["make", "-n", "app"],
        cwd=ROOT,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    [command] = [line for line in finished.stdout.splitlines() if "serve.py" in line]
    return command


def test_the_server_listens_on_this_machine_only():
    assert server_command().endswith("serve.py --server.port 8501 --server.address localhost")


def test_the_user_can_open_it_and_choose_the_port():
    command = server_command(HOST="0.0.0.0", PORT="8502")
    assert command.endswith("serve.py --server.port 8502 --server.address 0.0.0.0")
