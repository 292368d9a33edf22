import os
import subprocess
import sys

import pytest

from pruning.runtime import process
from pruning.runtime.process import configure_process


class Allocator:
    """Counts the calls."""

    def __init__(self):
        self.calls = 0

    def limit_arenas(self):
        self.calls += 1


@pytest.fixture(autouse=True)
def allocator(monkeypatch) -> Allocator:
    replaced = Allocator()
    monkeypatch.setattr(process, "ALLOCATOR", replaced)
    return replaced


def test_waiting_threads_do_not_spin_unless_the_user_has_chosen(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    configure_process()
    assert os.environ["OMP_WAIT_POLICY"] == "passive"
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    configure_process()
    assert os.environ["OMP_WAIT_POLICY"] == "active"


def test_threads_of_a_command_spin_for_a_moment(monkeypatch):
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    configure_process()
    assert "GOMP_SPINCOUNT" not in os.environ
    monkeypatch.setenv("GOMP_SPINCOUNT", "1")  # restored after the test
    monkeypatch.delenv("GOMP_SPINCOUNT")
    configure_process(spin_count=70)
    assert os.environ["GOMP_SPINCOUNT"] == "70"
    configure_process(spin_count=80)
    assert os.environ["GOMP_SPINCOUNT"] == "70"


def test_arenas_are_limited(allocator):
    configure_process()
    assert allocator.calls == 1


@pytest.mark.slow
def test_the_command_line_configures_the_process_before_torch_is_imported():
    program = (
        "import os, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'torch':\n"
        "            assert os.environ['OMP_WAIT_POLICY'] == 'passive'\n"
        "            print('imported')\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from pruning.cli.main import run\n"
        "options = ['--network', 'lenet300', '--dataset', 'digits', '--sparsity', '0.5']\n"
        "sys.exit(run(['prune', *options]))\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    finished = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        check=True,
        timeout=120,
        capture_output=True,
        text=True,
    )
    assert finished.stdout.startswith("imported\n")
