"""Trained weights (safetensors) and their cards (JSON): how they were trained, their accuracy."""

import json
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from pruning.data.datasets import DATASETS
from pruning.models.base import NETWORKS, build
from pruning.models.cards import Card, InvalidCard, parse_card
from pruning.runtime.atomic_write import atomic_write, sha256
from pruning.runtime.errors import CheckpointError
from pruning.runtime.installation import ASSETS

FOLDER = ASSETS / "checkpoints"
REMEDY = "restore it or train again"


def stem(network: str, dataset: str) -> str:
    """Return the file name of a checkpoint without its suffix.

    Parameters
    ----------
    network, dataset
        Keys of ``NETWORKS`` and ``DATASETS``.

    Returns
    -------
    str
        The name, such as ``"lenet5-mnist"``.

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    return f"{NETWORKS[network].name}-{DATASETS[dataset].name}"


def shipped() -> list[tuple[str, str]]:
    """Return the network and the dataset of every checkpoint in ``FOLDER``, and of own networks.

    Returns
    -------
    list of (str, str)
        Pairs in the order of ``NETWORKS``, then of ``DATASETS``.
    """
    pairs = []
    for network in NETWORKS:
        for dataset in DATASETS:
            if _card_path(network, dataset, FOLDER).is_file() or fits_own(network, dataset):
                pairs.append((network, dataset))
    return pairs


def fits_own(network: str, dataset: str) -> bool:
    """Tell whether a network is one of a user, and accepts the images of a dataset.

    Parameters
    ----------
    network, dataset
        Keys of ``NETWORKS`` and ``DATASETS``.

    Returns
    -------
    bool
        False for the networks of this package, which need a checkpoint.
    """
    own, data = NETWORKS[network].own, DATASETS[dataset]
    if own is None:
        return False
    outputs = own.model.steps[-1].shape[0]
    return own.model.shape == (data.channels, data.size, data.size) and outputs == len(data.classes)


def save(model: nn.Module, folder: Path, **about: Any) -> Card:
    """Write the weights and the card of a trained network, each file atomically.

    Parameters
    ----------
    model
        The trained network.
    folder
        Folder of the two files; created if it does not exist.
    **about
        Fields of the card, except ``weights_sha256``.

    Returns
    -------
    Card
        The card that was written.
    """
    path = _weights_path(about["network"], about["dataset"], folder)
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    with atomic_write(path) as temporary:
        save_file(state, temporary)
    written = Card(weights_sha256=sha256(path), **about)
    with atomic_write(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(asdict(written), indent=1) + "\n")
    return written


def card(network: str, dataset: str, folder: Path = FOLDER) -> Card:
    """Read and validate the card of a checkpoint.

    Parameters
    ----------
    network, dataset
        Keys of ``NETWORKS`` and ``DATASETS``.
    folder
        Folder of the checkpoint.

    Returns
    -------
    Card
        The card.

    Raises
    ------
    ValueError
        If a name is unknown.
    CheckpointError
        If there is no card, or it is not valid.
    """
    path = _card_path(network, dataset, folder)
    try:
        return parse_card(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        available = ", ".join(f"{network} on {dataset}" for network, dataset in shipped())
        raise CheckpointError(
            f"there is no checkpoint of {network} on {dataset}: train one with "
            f"`python -m pruning train {network} {dataset}`, or use {available}"
        ) from None
    except OSError as error:
        problem = _describe_os_error(error)
    except UnicodeDecodeError:
        problem = "it is not UTF-8 text"
    except InvalidCard as error:
        problem = str(error)
    raise CheckpointError(f"{path} is not a readable card ({problem}): {REMEDY}")


def load(network: str, dataset: str, folder: Path = FOLDER) -> nn.Module:
    """Load a trained network.

    The file is checked against the hash on its card.

    Parameters
    ----------
    network, dataset
        Keys of ``NETWORKS`` and ``DATASETS``.
    folder
        Folder of the checkpoint.

    Returns
    -------
    nn.Module
        The network in eval mode, in channels-last format, without gradients.

    Raises
    ------
    ValueError
        If a name is unknown.
    CheckpointError
        If a file is missing, damaged, not the one that the card describes, or contains NaN or
        infinite values.
    """
    own = NETWORKS[network].own
    if own is not None:
        return own.model
    expected_sha256 = card(network, dataset, folder).weights_sha256
    path = _weights_path(network, dataset, folder)
    state = _read_weights(path, expected_sha256)
    data = DATASETS[dataset]
    model = build(network, channels=data.channels, size=data.size, classes=len(data.classes))
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise CheckpointError(
            f"{path} does not hold a {network} for {dataset}: {REMEDY}"
        ) from error
    for name, tensor in model.state_dict().items():
        if not tensor.isfinite().all():
            raise CheckpointError(f"{path} has NaN or infinite values in {name}: {REMEDY}")
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model.eval().to(memory_format=torch.channels_last)


@lru_cache
def shared_card(network: str, dataset: str) -> Card:
    """Return the card of `shared_model`, cached for the lifetime of the process.

    Parameters
    ----------
    network, dataset
        Keys of ``NETWORKS`` and ``DATASETS``.

    Returns
    -------
    Card
        The card.

    Raises
    ------
    ValueError, CheckpointError
        See `card`.
    """
    return card(network, dataset)


def shared_model(network: str, dataset: str) -> nn.Module:
    """Return the one copy of a trained network that all threads share.

    It must never be modified, not even temporarily.

    Parameters
    ----------
    network, dataset
        Keys of ``NETWORKS`` and ``DATASETS``.

    Returns
    -------
    nn.Module
        The network, as `load` returns it.

    Raises
    ------
    ValueError, CheckpointError
        See `load`.
    """
    own = NETWORKS[network].own
    return shipped_model(network, dataset) if own is None else own.model


@lru_cache(maxsize=8)
def shipped_model(network: str, dataset: str) -> nn.Module:
    """Return the one copy of a network of a checkpoint, see `shared_model`.

    Parameters
    ----------
    network, dataset
        Keys of ``NETWORKS`` and ``DATASETS``.

    Returns
    -------
    nn.Module
        The network, as `load` returns it.

    Raises
    ------
    ValueError, CheckpointError
        See `load`.
    """
    return load(network, dataset)


def _card_path(network: str, dataset: str, folder: Path) -> Path:
    return Path(folder) / f"{stem(network, dataset)}.json"


def _weights_path(network: str, dataset: str, folder: Path) -> Path:
    return Path(folder) / f"{stem(network, dataset)}.safetensors"


def _read_weights(path: Path, expected_sha256: str) -> dict[str, torch.Tensor]:
    try:
        if sha256(path) != expected_sha256:
            raise CheckpointError(
                f"{path} is not the file that its card describes (sha256 differs): {REMEDY}"
            )
        return load_file(path)
    except OSError as error:
        problem = _describe_os_error(error)
    except SafetensorError:
        problem = "it is not a safetensors file"
    raise CheckpointError(f"{path} cannot be read ({problem}): {REMEDY}")


def _describe_os_error(error: OSError) -> str:
    """Return the operating system's description, such as ``"permission denied"``."""
    return (error.strerror or "input/output error").lower()
