"""Commands from their start to their end beside ``import torch``, in turns; in `make bench`."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from pruning.data import datasets

TURNS = 5
PEER = "python -c 'import torch'"
IMPORT = ("-c", "import torch")
NAMES = ("command --help", "command list", "command curve from the store", "command prune")


def rows(row: Callable) -> None:
    """Run commands whose work is known or small, each in turns with the import."""
    dataset = "mnist" if datasets.available("mnist") else "digits"
    subject = ("--network", "lenet5", "--dataset", dataset)
    commands = {
        "command --help": ("--help",),
        "command list": ("list",),
        f"command curve from the store, lenet5 on {dataset}": ("curve", *subject),
        f"command prune, lenet5 on {dataset}": ("prune", *subject, "--sparsity", "0.8"),
    }
    with TemporaryDirectory() as folder:
        environment = {**os.environ, "PRUNESCOPE_STORE": str(Path(folder) / "store.sqlite")}
        for name, arguments in commands.items():
            command = ("-m", "pruning", *arguments)
            _seconds(command, environment)  # fills the store, and reads the files once
            ours, theirs = [], []
            for _ in range(TURNS):
                ours.append(_seconds(command, environment))
                theirs.append(_seconds(IMPORT, environment))
            row(name, statistics.median(ours), PEER, statistics.median(theirs))


def _seconds(arguments: tuple[str, ...], environment: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments], check=True, env=environment, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - began
