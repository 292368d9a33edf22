"""Trained weights in the files of other projects, read without running code from the file."""

import math
import pickle
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from pruning.data.datasets import DATASETS
from pruning.models.base import build
from pruning.runtime.errors import CheckpointError

STATE_KEYS = ("state_dict", "model_state_dict", "model")
"""Keys under which a training script stores the weights beside other things."""
MASK = "mask"
"""Part of the last name of a tensor that is a mask of the project that wrote the file."""
COUNTER = "num_batches_tracked"
"""Counter of batch norms, which old files do not have and inference does not use."""


def read_published(
    path: Path, network: str, dataset: str, std: Sequence[float] | None = None
) -> nn.Module:
    """Read a trained network from a safetensors file or a PyTorch file.

    The tensors of the file become those of the network by their order; the last part of their
    names (such as ``weight`` or ``running_mean``) and their shapes must be the same. Masks in the
    file are ignored.

    Parameters
    ----------
    path : Path
        A safetensors file, or any other file for ``torch.load`` with ``weights_only=True``.
    network, dataset : str
        Names in ``NETWORKS`` and ``DATASETS``.
    std : sequence of float, optional
        Standard deviations of the pixels by which the file's network expects its images to be
        divided, by channel, if they are not those of the dataset. The first layer is multiplied by
        the ratio, so that the logits are the same.

    Returns
    -------
    nn.Module
        The network in eval mode, in channels-last format, without gradients.

    Raises
    ------
    ValueError
        A name is not registered, or the standard deviations do not fit the dataset.
    CheckpointError
        The file is damaged, needs code to be run, or does not hold this network.
    OSError
        The file is missing or cannot be opened.
    """
    data = DATASETS[dataset]
    model = build(network, channels=data.channels, size=data.size, classes=len(data.classes))
    tensors = _named_tensors(_read(path), path)
    state = _match(tensors, model, path, f"{network} for {dataset}")
    model.load_state_dict(state, strict=False)  # counters keep their initial value
    if std is not None:
        _divide_images(model, data.std, std)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model.eval().to(memory_format=torch.channels_last)


class _StandIn:
    """Takes the place of the optimizer classes that training scripts store; it does nothing."""


def _stand_ins() -> list[Callable | tuple[Callable, str]]:
    """Optimizers and schedules of PyTorch by name, without their code."""
    names: list[Callable | tuple[Callable, str]] = []
    for module in (torch.optim, torch.optim.lr_scheduler):
        for member in vars(module).values():
            if isinstance(member, type) and member.__module__.startswith("torch.optim"):
                names.append((_StandIn, f"{member.__module__}.{member.__qualname__}"))
    return names


def _read(path: Path) -> object:
    """Read a file that may hold tensors, numbers, texts and containers, and nothing else."""
    with Path(path).open("rb"):
        pass  # an error of the system, such as a missing file, is not a damaged file
    try:
        if Path(path).suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings(), torch.serialization.safe_globals(_stand_ins()):
            warnings.simplefilter("ignore")  # the error below says more than a remark on pickle
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        problem = "it is damaged, or holds more than tensors, which could run code"
    except SafetensorError:
        problem = "it is not a safetensors file"
    except Exception:  # PyTorch raises many kinds of errors for a damaged file
        problem = "it is not a file of torch.save"
    raise CheckpointError(
        f"{path} cannot be read ({problem}): give a safetensors file, or a file that torch.load "
        "reads with weights_only=True"
    )


def _named_tensors(content: object, path: Path) -> dict[str, torch.Tensor]:
    """Find the tensors by name, without masks and counters."""
    for key in STATE_KEYS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    tensors = {}
    if isinstance(content, Mapping):
        for name, value in content.items():
            if isinstance(name, str) and isinstance(value, torch.Tensor):
                tensors[name] = value
    if not tensors:
        raise CheckpointError(
            f"{path} holds no tensors by name: they are read from its top level, or from the first "
            f"of {', '.join(STATE_KEYS)}"
        )
    return {name: tensor for name, tensor in tensors.items() if not _is_ignored(name)}


def _is_ignored(name: str) -> bool:
    last = _last_part(name)
    return MASK in last or last == COUNTER


def _last_part(name: str) -> str:
    return name.rpartition(".")[2]


def _match(
    tensors: Mapping[str, torch.Tensor], model: nn.Module, path: Path, described: str
) -> dict[str, torch.Tensor]:
    """Give the tensors of a file the names of the network, in order."""
    expected = {}
    for name, tensor in model.state_dict().items():
        if not _is_ignored(name):
            expected[name] = tensor
    if len(tensors) != len(expected):
        raise CheckpointError(
            f"{path} holds {len(tensors)} tensors, but a {described} has {len(expected)}: "
            f"{_describe(expected)}"
        )
    state = {}
    for (given_name, given), (name, tensor) in zip(tensors.items(), expected.items(), strict=True):
        if _last_part(given_name) != _last_part(name) or given.shape != tensor.shape:
            raise CheckpointError(
                f"{path} does not hold a {described}: in the place of {name} {_shape(tensor)} it "
                f"has {given_name} {_shape(given)}"
            )
        if not given.is_floating_point() or not given.isfinite().all():
            raise CheckpointError(f"{path} has values that are not finite numbers in {given_name}")
        state[name] = given
    return state


def _describe(tensors: Mapping[str, torch.Tensor]) -> str:
    """First and last tensor with their shapes."""
    names = list(tensors)
    first, last = names[0], names[-1]
    return f"from {first} {_shape(tensors[first])} to {last} {_shape(tensors[last])}"


def _shape(tensor: torch.Tensor) -> str:
    return "x".join(str(size) for size in tensor.shape)


def _divide_images(model: nn.Module, own: Sequence[float], given: Sequence[float]) -> None:
    """Multiply the first layer so that it reads images divided by other deviations."""
    are_positive = all(0 < value < math.inf for value in given)
    if len(given) != len(own) or not are_positive:
        raise ValueError(
            f"std must be {len(own)} positive numbers, such as "
            f"{','.join(f'{value:g}' for value in own)}"
        )
    weight = next(model.parameters())
    ratios = torch.tensor(own) / torch.tensor(given)
    pixels = weight.detach().flatten(1).view(len(weight), len(ratios), -1)
    scaled = pixels * ratios[:, None]
    with torch.no_grad():
        weight.copy_(scaled.view(weight.shape))
