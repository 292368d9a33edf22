"""The application on a network of the program that calls it."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import webbrowser
from pathlib import Path
from typing import Any

from torch import nn

from pruning.api.subject import subject_of
from pruning.engine.own_files import save_own
from pruning.runtime.defaults import OWN_FOLDER_VARIABLE
from pruning.runtime.errors import PrunescopeError
from pruning.runtime.installation import SERVER

START_S = 60
INTERVAL_S = 0.2
STOP_S = 10


class Dashboard:
    """A server that shows one network; it ends with `close`, or with the program.

    Parameters
    ----------
    process : subprocess.Popen
        The server.
    port : int
        Its port on this machine.
    folder : Path
        Files of the network, which are deleted at the end.
    """

    def __init__(self, process: subprocess.Popen, port: int, folder: Path):
        self._process = process
        self._folder = folder
        self.url = f"http://localhost:{port}"

    def wait_until_it_answers(self) -> None:
        """Wait for the first answer of the server.

        Raises
        ------
        PrunescopeError
            If it ends, or does not answer within a minute.
        """
        deadline = time.monotonic() + START_S
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=START_S).close()
                return
            except OSError:
                time.sleep(INTERVAL_S)
        self.close()
        raise PrunescopeError(
            "the application did not start: run `prunescope app` to see its messages"
        )

    def close(self) -> None:
        """End the server and delete its files; again without effect."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> "Dashboard":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Dashboard({self.url})"


def explore(
    module: nn.Module, data: Any, *, port: int = 0, opens_browser: bool = True
) -> Dashboard:
    """Open the application in the browser on a network and its data.

    Parameters
    ----------
    module, data
        As of `prune`. Both are copied to files: later changes have no effect.
    port : int
        Port of the server; 0 for a free one.
    opens_browser : bool
        Whether a browser is opened.

    Returns
    -------
    Dashboard
        With its ``url``; call ``close()``, or use it in a ``with`` statement.

    Raises
    ------
    UnsupportedNetworkError, DatasetError, ValueError
        As of `prune`.
    PrunescopeError
        If the server does not start.
    """
    subject = subject_of(module, data)
    subject.recipe()  # checks that network and data fit
    folder = Path(tempfile.mkdtemp(prefix="prunescope-"))
    save_own(subject.network, subject.dataset, folder)
    port = port or _free_port()
    options = {"server.port": port, "server.address": "localhost", "server.headless": "true"}
    flags = [f"--{name}={value}" for name, value in options.items()]
    process = subprocess.Popen(
        [sys.executable, str(SERVER), *flags],
        cwd=SERVER.parent,
        env={**os.environ, OWN_FOLDER_VARIABLE: str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    dashboard = Dashboard(process, port, folder)
    dashboard.wait_until_it_answers()
    if opens_browser:
        webbrowser.open(dashboard.url)
    return dashboard


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return free.getsockname()[1]
