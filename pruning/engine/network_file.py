"""A pruned network as a file, made by the command line in a process of its own.

The exporters of PyTorch hold the interpreter for seconds, and replace functions of ``nn.Module``
for all threads while they trace: neither may happen in a server.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from pruning.data.datasets import DATASETS
from pruning.engine.own_files import save_own
from pruning.models import NETWORKS
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_to_dict
from pruning.runtime.command import kill_commands, run_command
from pruning.runtime.defaults import OWN_FOLDER_VARIABLE


@cache
def _folder_of_server() -> str:
    """Return the folder of all temporary files of this program."""
    return mkdtemp(prefix="prunescope-files-")


def delete_files() -> None:
    """Kill the processes that make files, and delete the files; this program ends now."""
    kill_commands()
    if _folder_of_server.cache_info().currsize:
        shutil.rmtree(_folder_of_server(), ignore_errors=True)


@dataclass(frozen=True)
class FileKind:
    """A kind of file.

    Parameters
    ----------
    option : str
        Option of the command ``prune``.
    extension, mime : str
        Of the file.
    has_forms : bool
        Whether it holds one network, masked or smaller.
    needs_onnx : bool
        Whether the extra ``onnx`` is needed.
    """

    option: str
    extension: str
    mime: str
    has_forms: bool = True
    needs_onnx: bool = False


FILE_KINDS = {
    "ONNX": FileKind("--onnx", "onnx", "application/octet-stream", needs_onnx=True),
    "PyTorch": FileKind("--pytorch", "zip", "application/zip", has_forms=False),
    "Report": FileKind("--report", "html", "text/html", has_forms=False),
}
"""Every kind of file, by its name for people."""


@dataclass(frozen=True, eq=False)
class NetworkFile:
    """A file that was made.

    Parameters
    ----------
    content : bytes
        Of the file.
    result : dict
        What the command ``prune --json`` says.
    """

    content: bytes
    result: dict[str, Any]


def make_file(recipe: Recipe, kind: str, *, remove: bool, check: Callable[[], None]) -> NetworkFile:
    """Prune in another process, and return the file that it writes.

    Parameters
    ----------
    recipe : Recipe
        The recipe.
    kind : str
        A name in ``FILE_KINDS``.
    remove : bool
        Whether pruned units are removed; else the weights of the network are zeros.
    check : callable
        Called often; if it raises, the process is killed.

    Returns
    -------
    NetworkFile
        The file.

    Raises
    ------
    PrunescopeError
        If the command fails; its message.
    """
    file_kind = FILE_KINDS[kind]
    with TemporaryDirectory(prefix="prunescope-", dir=_folder_of_server()) as name:
        folder = Path(name)
        recipe_file, file = folder / "recipe.json", folder / f"network.{file_kind.extension}"
        recipe_file.write_text(json.dumps(recipe_to_dict(recipe)))
        arguments = ["prune", "--steps", str(recipe_file), file_kind.option, str(file), "--json"]
        if remove and file_kind.has_forms:
            arguments.append("--remove")
        environment = {}
        own = NETWORKS[recipe.network].own or DATASETS[recipe.dataset].own
        if own is not None:
            save_own(recipe.network, recipe.dataset, folder)
            environment[OWN_FOLDER_VARIABLE] = name
        printed = run_command(arguments, environment, check)
        return NetworkFile(file.read_bytes(), json.loads(printed))
