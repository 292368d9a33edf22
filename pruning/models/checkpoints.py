"""Trained weights (safetensors, never pickle) with their card (JSON): where they come from and what they reach."""

import json
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from pruning.data.datasets import DATASETS
from pruning.models import NETWORKS, build
from pruning.runtime.atomic_write import atomic_write, sha256
from pruning.runtime.errors import CheckpointError

FOLDER = Path(__file__).parents[2] / "assets" / "checkpoints"


@dataclass(frozen=True)
class Card:
    """How a checkpoint was made and what it reaches. Accuracies are fractions of the full splits."""

    network: str
    dataset: str
    test_accuracy: float
    test_correct: int
    test_images: int
    validation_accuracy: float
    epochs: int
    batch: int
    optimizer: str
    schedule: str
    augmentation: str
    precision: str
    seed: int
    versions: dict[str, str]
    seconds: float
    weights_sha256: str
    train_data_sha256: str


def stem(network: str, dataset: str) -> str:
    return f"{NETWORKS[network].name}-{DATASETS[dataset].name}"


def shipped() -> list[tuple[str, str]]:
    """Every (network, dataset) that has a checkpoint."""
    return [(n, d) for n in NETWORKS for d in DATASETS if (FOLDER / f"{stem(n, d)}.json").is_file()]


def save(model: nn.Module, folder: Path, **about) -> Card:
    """Write weights and card, each whole or not at all; ``about`` is the card's fields but for the hash."""
    path = Path(folder) / f"{stem(about['network'], about['dataset'])}.safetensors"
    with atomic_write(path) as temporary:
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, temporary)
    card = Card(weights_sha256=sha256(path), **about)
    with atomic_write(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(asdict(card), indent=1) + "\n")
    return card


def card(network: str, dataset: str, folder: Path = FOLDER) -> Card:
    """The card of a checkpoint; CheckpointError if there is none, or it is not one."""
    path = Path(folder) / f"{stem(network, dataset)}.json"
    try:
        about = json.loads(path.read_text())
        return Card(**{f.name: about[f.name] for f in fields(Card)})
    except FileNotFoundError:
        there = ", ".join(f"{n} on {d}" for n, d in shipped())
        raise CheckpointError(
            f"there is no checkpoint of {network} on {dataset}: train one with "
            f"`python -m pruning train {network} {dataset}`, or use {there}"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} is not a readable card ({error!r}): restore it or train again"
        ) from error


def load(network: str, dataset: str, folder: Path = FOLDER) -> nn.Sequential:
    """A trained network in eval mode, channels last, its file checked against the card's hash.

    Raises
    ------
    ValueError : unknown names.
    CheckpointError : missing, broken, or not the file that the card describes.
    """
    expected = card(network, dataset, folder)
    path = Path(folder) / f"{stem(network, dataset)}.safetensors"
    try:
        if sha256(path) != expected.weights_sha256:
            raise CheckpointError(
                f"{path} is not the file that its card describes (sha256 differs): "
                "restore it or train again"
            )
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({error}): restore it or train again"
        ) from error
    data = DATASETS[dataset]
    model = build(network, channels=data.channels, size=data.size, classes=len(data.classes))
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise CheckpointError(
            f"{path} does not hold a {network} for {dataset}: restore it or train again"
        ) from error
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model.eval().to(memory_format=torch.channels_last)


@lru_cache
def shared_card(network: str, dataset: str) -> Card:
    """The card of the `shared` network; like that one it stays as it is until the process ends."""
    return card(network, dataset)


@lru_cache(maxsize=8)
def shared(network: str, dataset: str) -> nn.Sequential:
    """The one copy in memory that everybody reads, in many threads. Nothing may modify it, not even for a moment."""
    return load(network, dataset)
