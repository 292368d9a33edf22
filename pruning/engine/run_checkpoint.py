"""The network of a finished retraining run: weights, masks and card in a folder of their own."""

import json
import os
from collections import OrderedDict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import platformdirs
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from pruning.data.datasets import DATASETS
from pruning.engine.masked_network import MaskedNetwork
from pruning.methods.masks import Masks
from pruning.models import build
from pruning.models.cards import Card, InvalidCard, parse_card
from pruning.recipe.recipe import RUN_NAME
from pruning.runtime.atomic_write import atomic_write, sha256
from pruning.runtime.errors import CheckpointError
from pruning.runtime.json_reader import parse_json

CARD = "card.json"
WEIGHTS = "network.safetensors"
FOLDER_VARIABLE = "PRUNESCOPE_RUNS"


def runs_folder() -> Path:
    """Return the folder of the runs.

    Returns
    -------
    Path
        ``PRUNESCOPE_RUNS``, else a folder in the user's data directory.
    """
    default = platformdirs.user_data_path("prunescope") / "runs"
    return Path(os.environ.get(FOLDER_VARIABLE) or default).absolute()


def finished_runs(network: str, dataset: str) -> list[str]:
    """Return the finished runs of a network, by their names alone.

    Parameters
    ----------
    network, dataset : str
        Names in ``NETWORKS`` and ``DATASETS``.

    Returns
    -------
    list of str
        Names in alphabetical order.
    """
    folder = runs_folder()
    if not folder.is_dir():
        return []
    names = []
    for path in folder.iterdir():
        is_of_network = path.name.startswith(f"{network}-{dataset}-")
        if is_of_network and RUN_NAME.fullmatch(path.name) and (path / CARD).is_file():
            names.append(path.name)
    return sorted(names)


@dataclass(frozen=True, eq=False)
class RunCheckpoint:
    """The network of a finished run.

    Parameters
    ----------
    network : MaskedNetwork
        In eval mode; masked parameters are zero.
    card : Card
        How it was trained, and its accuracy.
    """

    network: MaskedNetwork
    card: Card


def network_to_tensors(network: MaskedNetwork) -> dict[str, torch.Tensor]:
    """Return everything of a masked network that is a tensor.

    Parameters
    ----------
    network : MaskedNetwork
        On any device.

    Returns
    -------
    dict of str to torch.Tensor
        ``model.*`` with masked parameters zero, and ``mask.*`` as uint8, 1 = kept; on the CPU.
    """
    tensors = {}
    state = network.model.state_dict() | network.masked_parameters()
    state.pop("input", None)
    for name, tensor in state.items():
        tensors[f"model.{name}"] = tensor.detach().cpu().contiguous()
    for name, mask in network.masks.items():
        tensors[f"mask.{name}"] = mask.cpu().to(torch.uint8).contiguous()
    return tensors


def network_from_tensors(
    network: str,
    dataset: str,
    tensors: dict[str, torch.Tensor],
    removed_layers: tuple[str, ...],
    removed_blocks: tuple[str, ...],
) -> MaskedNetwork:
    """Build a masked network from its tensors.

    Parameters
    ----------
    network, dataset : str
        Names in ``NETWORKS`` and ``DATASETS``.
    tensors : dict of str to torch.Tensor
        As `network_to_tensors` returns them; others are ignored.
    removed_layers, removed_blocks : tuple of str
        As of `MaskedNetwork`.

    Returns
    -------
    MaskedNetwork
        In eval mode, in channels-last format, without gradients.

    Raises
    ------
    ValueError
        If the tensors do not fit the network.
    """
    state, masks = {}, {}
    for name, tensor in tensors.items():
        kind, _, parameter = name.partition(".")
        if kind == "model":
            state[parameter] = tensor
        elif kind == "mask":
            masks[parameter] = tensor.bool()
    model = _skeleton(network, dataset, state, removed_layers)
    try:
        model.load_state_dict(state)
    except RuntimeError:
        raise ValueError(f"the tensors do not fit a {network} for {dataset}") from None
    for name, tensor in state.items():
        if not tensor.isfinite().all():
            raise ValueError(f"{name} has NaN or infinite values")
    _check_masks(model, masks)
    model.requires_grad_(False)
    model.eval().to(memory_format=torch.channels_last)
    return MaskedNetwork(model, Masks(masks), removed_layers, removed_blocks)


def _skeleton(
    network: str, dataset: str, state: dict[str, torch.Tensor], removed_layers: tuple[str, ...]
) -> nn.Module:
    """Build the network without its removed layers; refitted layers have other sizes."""
    data = DATASETS[dataset]
    model = build(network, channels=data.channels, size=data.size, classes=len(data.classes))
    if not removed_layers:
        return model
    stages: OrderedDict[str, nn.Module] = OrderedDict()
    for name, stage in model.named_children():
        weight = state.get(f"{name}.weight")
        if name in removed_layers:
            stages[name] = nn.Identity()
        elif isinstance(stage, nn.Linear) and weight is not None and weight.ndim == 2:
            outputs, inputs = weight.shape
            stages[name] = nn.Linear(inputs, outputs, bias=f"{name}.bias" in state)
        else:
            stages[name] = stage
    return nn.Sequential(stages)


def _check_masks(model: nn.Module, masks: dict[str, torch.Tensor]) -> None:
    parameters = dict(model.named_parameters())
    for name, mask in masks.items():
        if name == "input":
            continue
        if name not in parameters or parameters[name].shape != mask.shape:
            raise ValueError(f"the mask of {name[:60]} does not fit")


def save_checkpoint(folder: Path, trained: MaskedNetwork, **about: Any) -> Card:
    """Write the network and the card of a finished run, each file atomically.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    trained : MaskedNetwork
        The network.
    **about
        Fields of the card, except ``weights_sha256``.

    Returns
    -------
    Card
        The card, which is written last: a run with a card is finished.
    """
    metadata = {
        "network": about["network"],
        "dataset": about["dataset"],
        "removed_layers": json.dumps(trained.removed_layers),
        "removed_blocks": json.dumps(trained.removed_blocks),
    }
    path = folder / WEIGHTS
    with atomic_write(path) as temporary:
        save_file(network_to_tensors(trained), temporary, metadata)
    card = Card(weights_sha256=sha256(path), **about)
    with atomic_write(folder / CARD) as temporary:
        temporary.write_text(json.dumps(asdict(card), indent=1) + "\n")
    return card


def read_card(folder: Path) -> Card:
    """Read and validate the card of a finished run.

    Parameters
    ----------
    folder : Path
        Folder of the run.

    Returns
    -------
    Card
        The card.

    Raises
    ------
    CheckpointError
        If there is no card, or it is not valid.
    """
    try:
        return parse_card((folder / CARD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        state = "is not finished" if folder.is_dir() else "is not on this machine"
        raise CheckpointError(
            f"the run {folder.name} {state}: choose another checkpoint, or retrain"
        ) from None
    except (OSError, UnicodeDecodeError, InvalidCard) as error:
        raise CheckpointError(
            f"the card of the run {folder.name} cannot be read ({_describe(error)}): "
            "delete the run, or retrain"
        ) from None


def load_checkpoint(folder: Path) -> RunCheckpoint:
    """Read the network of a finished run; the file is checked against the hash on its card.

    Parameters
    ----------
    folder : Path
        Folder of the run.

    Returns
    -------
    RunCheckpoint
        Network and card.

    Raises
    ------
    CheckpointError
        If a file is missing, damaged, or not the one that the card describes.
    """
    card, path = read_card(folder), folder / WEIGHTS
    try:
        if sha256(path) != card.weights_sha256:
            raise ValueError("it is not the file that the card describes")
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        network = network_from_tensors(
            card.network,
            card.dataset,
            tensors,
            read_names(metadata, "removed_layers"),
            read_names(metadata, "removed_blocks"),
        )
    except (OSError, SafetensorError, ValueError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({_describe(error)}): delete the run, or retrain"
        ) from None
    return RunCheckpoint(network, card)


def read_names(metadata: dict[str, str], key: str) -> tuple[str, ...]:
    """Read a list of names from the metadata of a file.

    Parameters
    ----------
    metadata : dict of str to str
        Of a safetensors file.
    key : str
        Where the list is.

    Returns
    -------
    tuple of str
        The names.

    Raises
    ------
    ValueError
        If it is not a list of names.
    """
    names = parse_json(metadata.get(key, "[]"), key)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{key} is not a list of names")
    return tuple(names)


def _describe(error: Exception) -> str:
    if isinstance(error, OSError):
        return (error.strerror or "input/output error").lower()
    if isinstance(error, SafetensorError):
        return "it is not a safetensors file"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    return str(error)
