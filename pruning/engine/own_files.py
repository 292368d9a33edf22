"""A user's network and data as files of a folder, from which the application shows them."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from pruning.data.datasets import DATASETS
from pruning.data.own_dataset import read_own_npz, register_dataset
from pruning.models import NETWORKS
from pruning.models.architecture import architecture_from_dict, architecture_to_dict
from pruning.models.graph import UnsupportedNetworkError
from pruning.models.own_network import register_network
from pruning.runtime.atomic_write import atomic_write
from pruning.runtime.defaults import OWN_FOLDER_VARIABLE, OWN_IS_TEMPORARY_VARIABLE
from pruning.runtime.json_reader import read_json

ARCHITECTURE, WEIGHTS, ABOUT, DATA = "network.json", "weights.safetensors", "own.json", "data.npz"


def save_own(network: str, dataset: str, folder: Path) -> None:
    """Write a registered network of a user, and the data that it is shown with.

    Parameters
    ----------
    network, dataset : str
        Names in ``NETWORKS`` and ``DATASETS``.
    folder : Path
        Exists; files of the same names are replaced.
    """
    entry, data = NETWORKS[network], DATASETS[dataset]
    assert entry.own is not None
    model = entry.own.model
    _write_json(architecture_to_dict(model), folder / ARCHITECTURE)
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    with atomic_write(folder / WEIGHTS) as temporary:
        save_file(state, temporary)
    about: dict[str, Any] = {"label": entry.label, "dataset": dataset}
    if data.own is not None:
        about["dataset"] = {
            "label": data.label,
            "classes": list(data.classes),
            "mean": list(data.mean),
            "std": list(data.std),
        }
        (x_train, y_train), (x_test, y_test) = data.own.train, data.own.test
        with atomic_write(folder / DATA) as temporary, temporary.open("wb") as file:
            np.savez(file, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    _write_json(about, folder / ABOUT)


def load_own(folder: Path) -> tuple[str, str]:
    """Register the network and the data of a folder, listed for everybody.

    Parameters
    ----------
    folder : Path
        As of `save_own`.

    Returns
    -------
    tuple of str
        Names in ``NETWORKS`` and ``DATASETS``.

    Raises
    ------
    UnsupportedNetworkError, DatasetError
        If a file is missing or not valid; the message says which.
    """
    about = _read_json(folder / ABOUT)
    try:
        label, dataset = about["label"], _dataset_of(about["dataset"], folder)
    except (KeyError, TypeError) as error:
        raise UnsupportedNetworkError(
            f"{folder / ABOUT} needs label and dataset, a name or an object with label, classes, "
            "mean and std"
        ) from error
    model = architecture_from_dict(_read_json(folder / ARCHITECTURE))
    try:
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise UnsupportedNetworkError(
            f"{folder / WEIGHTS} does not hold the weights of the network"
        ) from error
    network = register_network(model, model.shape, label, is_listed=True)
    return network.name, dataset


def _dataset_of(about: Any, folder: Path) -> str:
    """Return the name of a dataset, which is registered if it is one of the folder."""
    if isinstance(about, str):
        return DATASETS.require(about).name
    return register_dataset(
        read_own_npz(folder / DATA),
        mean=about["mean"],
        std=about["std"],
        classes=about["classes"],
        label=about["label"],
        is_listed=True,
    ).name


def load_own_from_environment() -> tuple[str, str] | None:
    """Register what the environment variable ``PRUNESCOPE_OWN`` names.

    If the folder is a temporary one, it is deleted, and the variable, too.

    Returns
    -------
    tuple of str or None
        Names in ``NETWORKS`` and ``DATASETS``; None if the variable is not set.

    Raises
    ------
    UnsupportedNetworkError, DatasetError
        See `load_own`.
    """
    folder = os.environ.get(OWN_FOLDER_VARIABLE)
    if not folder:
        return None
    try:
        return load_own(Path(folder))
    finally:
        if os.environ.pop(OWN_IS_TEMPORARY_VARIABLE, ""):
            del os.environ[OWN_FOLDER_VARIABLE]
            shutil.rmtree(folder)


def _write_json(content: object, path: Path) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content) + "\n")


def _read_json(path: Path) -> Any:
    try:
        return read_json(path)
    except (OSError, ValueError) as error:
        raise UnsupportedNetworkError(f"{path} cannot be read: {error}") from error
