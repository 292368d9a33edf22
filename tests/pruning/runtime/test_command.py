"""The command line in a process of its own."""

import pytest

from pruning.runtime.command import run_command
from pruning.runtime.errors import PrunescopeError


def nothing() -> None:
    """Let the work go on."""


def test_its_output_is_returned():
    assert "prune" in run_command(["--help"], {}, nothing)


@pytest.mark.slow
def test_a_failure_is_its_last_line():
    with pytest.raises(PrunescopeError, match=r"^unknown network .vgg."):
        run_command(["prune", "--network", "vgg", "--sparsity", "0.5"], {}, nothing)


@pytest.mark.slow
def test_the_environment_is_passed_on(tmp_path):
    (tmp_path / "other").mkdir()
    output = run_command(["runs", "list"], {"PRUNESCOPE_RUNS": str(tmp_path / "other")}, nothing)
    assert str(tmp_path / "other") in output


def test_a_process_that_takes_too_long_is_ended():
    with pytest.raises(PrunescopeError, match="took longer than 0 s"):
        run_command(["--help"], {}, nothing, max_seconds=0)


def test_an_exception_of_the_caller_ends_it():
    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        run_command(["--help"], {}, stop)
