"""The command line of this package as a process of its own, for work that would block a server."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO

from pruning.runtime.errors import PrunescopeError

POLL_S = 0.1
MAX_S = 600.0
"""Seconds after which the process is killed."""
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
"""Environment in which PyTorch leaves the other processor cores to the server."""

_one_at_a_time = threading.Semaphore(1)
"""Each process takes hundreds of megabytes."""
_running: list[subprocess.Popen] = []


def kill_commands() -> None:
    """Kill the processes of this program, which ends now."""
    for process in list(_running):
        process.kill()
        process.wait()


def run_command(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    check: Callable[[], None],
    max_seconds: float = MAX_S,
) -> str:
    """Run ``python -m pruning`` with arguments, and return what it prints.

    Parameters
    ----------
    arguments : sequence of str
        Arguments of the command line.
    environment : mapping of str to str
        Variables besides those of this process.
    check : callable
        Called often; if it raises, the process is killed, and the exception goes on.
    max_seconds : float
        Time after which the process is killed.

    Returns
    -------
    str
        Its standard output.

    Raises
    ------
    PrunescopeError
        If it fails, with the last line of its error messages, or takes too long.
    """
    command = [sys.executable, "-m", "pruning", *arguments]
    while not _one_at_a_time.acquire(timeout=POLL_S):
        check()
    try:
        return _run(command, environment, check, max_seconds)
    finally:
        _one_at_a_time.release()


def _run(
    command: Sequence[str],
    environment: Mapping[str, str],
    check: Callable[[], None],
    max_seconds: float,
) -> str:
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, stdout=output, stderr=errors, env={**os.environ, **ONE_THREAD, **environment}
        )
        _running.append(process)
        try:
            _wait(process, check, max_seconds)
        finally:
            process.kill()  # nothing happens to a process that has ended
            process.wait()
            _running.remove(process)
        if process.returncode:
            raise PrunescopeError(_last_line(errors) or "the command has ended without a message")
        return _text(output)


def _wait(process: subprocess.Popen, check: Callable[[], None], max_seconds: float) -> None:
    end = time.monotonic() + max_seconds
    while process.poll() is None:
        if time.monotonic() > end:
            raise PrunescopeError(f"the command took longer than {max_seconds:g} s")
        check()
        time.sleep(POLL_S)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def _last_line(file: IO[bytes]) -> str:
    lines = _text(file).strip().splitlines()
    return lines[-1].removeprefix("error: ") if lines else ""
