"""The command ``app``: the application, on the owner's own network and data if they are given."""

import os
import shutil
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pruning.cli.options import TorchCommand
from pruning.runtime.defaults import OWN_FOLDER_VARIABLE, OWN_IS_TEMPORARY_VARIABLE
from pruning.runtime.errors import PrunescopeError
from pruning.runtime.installation import SERVER, check_onnx_installed

if TYPE_CHECKING:
    from torch import nn

READING = ("onnx",)
"""Packages that reading an ONNX file needs."""


@click.command(cls=TorchCommand)
@click.option(
    "--model",
    metavar="MODULE:FUNCTION|FILE.onnx",
    help="A function without arguments that returns a trained nn.Module, whose code is run, or "
    "an ONNX file.",
)
@click.option(
    "--data",
    metavar="FILE.npz|NAME",
    help="Images and labels: x_train, y_train, x_test and y_test, or x and y; or a dataset.",
)
@click.option("--port", default=8501, show_default=True, help="Port of the server.")
def app(model: str | None, data: str | None, port: int) -> None:
    """Open the application in the browser; ends with Ctrl+C."""
    if (model is None) != (data is None):
        raise click.UsageError("--model and --data go together: a network is shown with its data")
    environment = dict(os.environ)
    if model is not None and data is not None:
        environment[OWN_FOLDER_VARIABLE] = str(_temporary_folder(model, data))
        environment[OWN_IS_TEMPORARY_VARIABLE] = "1"
    os.chdir(SERVER.parent)  # which has the server's settings
    command = [sys.executable, str(SERVER), "--server.port", str(port)]
    os.execve(sys.executable, command, environment)


def _temporary_folder(model: str, data: str) -> Path:
    """Prepare network and data in a new folder, which the server deletes."""
    folder = Path(tempfile.mkdtemp(prefix="prunescope-"))
    try:
        prepare_own(model, data, folder)
    except BaseException:
        shutil.rmtree(folder)
        raise
    return folder


def prepare_own(model: str, data: str, folder: Path) -> None:
    """Call the owner's function, and write the network and the data for the application.

    Parameters
    ----------
    model : str
        ``module:function``, or the path of an ONNX file.
    data : str
        Path of an .npz file, or a name in ``DATASETS``.
    folder : Path
        Where they are written.
    """
    from pruning.api.subject import subject_of
    from pruning.data.base import DATASETS
    from pruning.data.own_dataset import read_own_npz
    from pruning.engine.own_files import save_own

    content: Any = data if data in DATASETS else read_own_npz(Path(data))
    module = _read_onnx(Path(model)) if model.endswith(".onnx") else _called(model)
    subject = subject_of(module, content)
    subject.recipe()  # checks that network and data fit
    save_own(subject.network, subject.dataset, folder)


def _read_onnx(path: Path) -> "nn.Module":
    from pruning.models.onnx_import import network_from_onnx

    check_onnx_installed(READING)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PrunescopeError(f"{path} cannot be read ({error.strerror})") from error
    return network_from_onnx(content)


def _called(name: str) -> "nn.Module":
    from torch import nn

    module_name, _, function_name = name.partition(":")
    if not module_name or not function_name:
        raise click.UsageError(f"--model is MODULE:FUNCTION, such as networks:trained, not {name}")
    sys.path.insert(0, str(Path.cwd()))
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        raise PrunescopeError(
            f"there is no module {error.name}: start from the folder that has it, or install it"
        ) from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise PrunescopeError(f"{module_name} has no function {function_name}")
    network = function()
    if not isinstance(network, nn.Module):
        kind = type(network).__name__
        raise PrunescopeError(f"{function_name} returns an object of type {kind}, no nn.Module")
    return network
