"""Networks that a user brings: any module that `graph.translate` accepts."""

import copy
import hashlib
import json
from collections.abc import Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import nn

from pruning.models.architecture import architecture_to_dict
from pruning.models.base import NETWORKS, Network, OwnNetwork, build, prunable
from pruning.models.graph import UnsupportedNetworkError, translate
from pruning.models.graph_network import GraphNetwork, macs_of

PREFIX = "own-"
HEADER_SIZE, MAX_HEADER = 8, 1_000_000
"""Bytes that say how long the list of tensors is at the beginning of a file, and its limit."""
SLOW_MACS = 3_000_000
"""Networks with more multiply-accumulates for an image show estimates first."""


def register_network(
    module: nn.Module,
    shape: tuple[int, ...],
    label: str = "Own network",
    *,
    is_listed: bool = False,
) -> Network:
    """Register a trained network of a user.

    Parameters
    ----------
    module : nn.Module
        The network. It is copied: later changes have no effect.
    shape : tuple of int
        Shape of the images, (channels, height, width).
    label : str
        Name for people.
    is_listed : bool
        Whether the application offers it to everybody.

    Returns
    -------
    Network
        Its name, a key of ``NETWORKS``, is a hash of the architecture, the weights and the label.

    Raises
    ------
    UnsupportedNetworkError
        If an operation has no rule, or a weight is NaN or infinite.
    """
    model = _own_copy(translate(_on_cpu(module), shape))
    if not prunable(model):
        raise UnsupportedNetworkError(
            "the network has no convolution and no linear layer: nothing of it can be pruned"
        )
    for name, tensor in model.state_dict().items():
        if not tensor.isfinite().all():
            raise UnsupportedNetworkError(f"{name} has NaN or infinite values: load other weights")
    digest = _digest(model)
    name = PREFIX + hashlib.sha256(f"{digest} {label}".encode()).hexdigest()[:16]
    is_residual = any(isinstance(each, nn.BatchNorm2d) for each in model.modules())
    network = Network(
        name=name,
        function=lambda channels, size, classes: build(name, channels=channels, size=size),
        label=label,
        source="network of the user",
        slow=_macs(model) > SLOW_MACS,
        residual=is_residual,
        own=OwnNetwork(model, digest),
    )
    if not is_listed:
        return NETWORKS.add_unlisted(name, network)
    return NETWORKS[name] if name in list(NETWORKS) else NETWORKS.add(name, network)


def load_weights(model: nn.Module, content: bytes) -> None:
    """Load the weights of a network from a safetensors file, which may come from anybody.

    Parameters
    ----------
    model : nn.Module
        The network, modified in place.
    content : bytes
        Content of the file: its tensors have the names of the parameters and buffers. Counters of
        batches (``num_batches_tracked``) may be missing.

    Raises
    ------
    UnsupportedNetworkError
        If it is no such file, or its tensors are others; the message names the first.
    """
    if int.from_bytes(content[:HEADER_SIZE], "little") > MAX_HEADER:
        raise UnsupportedNetworkError(
            f"the weights are not a safetensors file, or its header exceeds {MAX_HEADER:,} bytes"
        )
    try:
        state = load(content)
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise UnsupportedNetworkError(
            "the weights are not a safetensors file: write one with safetensors.torch.save_file"
        ) from error
    expected = model.state_dict()
    for name in expected:
        if name not in state and name.endswith("num_batches_tracked"):
            state[name] = expected[name]
    check_tensors(expected, state)
    model.load_state_dict(state)


def check_tensors(expected: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor]) -> None:
    """Check that tensors have the names, shapes and kinds of numbers that a network needs.

    Parameters
    ----------
    expected, found : mapping of str to torch.Tensor
        State dicts.

    Raises
    ------
    UnsupportedNetworkError
        If they differ; the message names the first difference.
    """
    missing = [name for name in expected if name not in found]
    if missing:
        raise UnsupportedNetworkError(
            f"the weights have no tensor {missing[0]} ({len(missing)} of {len(expected)} are "
            "missing): their names are those of the steps, followed by .weight or .bias"
        )
    unknown = [name for name in found if name not in expected]
    if unknown:
        raise UnsupportedNetworkError(
            f"the weights have a tensor {unknown[0][:80]} that the architecture does not have "
            f"({len(unknown)} such tensors)"
        )
    for name, tensor in expected.items():
        if found[name].shape != tensor.shape:
            raise UnsupportedNetworkError(
                f"{name} has the shape {tuple(found[name].shape)} in the weights, and "
                f"{tuple(tensor.shape)} in the architecture"
            )
        if found[name].is_floating_point() != tensor.is_floating_point():
            raise UnsupportedNetworkError(f"{name} has numbers of type {found[name].dtype}")


def copy_matching_weights(model: nn.Module, source: nn.Module) -> list[str]:
    """Copy the weights of the layers that two networks have in common.

    Parameters
    ----------
    model : nn.Module
        Modified in place.
    source : nn.Module
        A trained network.

    Returns
    -------
    list of str
        Tensors that were not copied, because the source has none of their name and shape.
    """
    state, trained = model.state_dict(), source.state_dict()
    others = []
    for name, tensor in state.items():
        if name in trained and trained[name].shape == tensor.shape:
            state[name] = trained[name]
        else:
            others.append(name)
    model.load_state_dict(state)
    return others


def _on_cpu(module: nn.Module) -> nn.Module:
    if all(tensor.device.type == "cpu" for tensor in module.parameters()):
        return module
    return copy.deepcopy(module).cpu()


def _own_copy(model: GraphNetwork) -> GraphNetwork:
    """Copy the parameters, too, for inference in float32."""
    model = copy.deepcopy(model).float().eval().requires_grad_(False)
    return model.to(memory_format=torch.channels_last)


def _digest(model: GraphNetwork) -> str:
    """Hash of the architecture and of all numbers."""
    architecture = json.dumps(architecture_to_dict(model), sort_keys=True)
    digest = hashlib.sha256(architecture.encode())
    for name, tensor in model.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _macs(model: GraphNetwork) -> int:
    """Multiply-accumulates for one image."""
    total = 0
    for step in model.steps:
        module = model.get_submodule(step.name)
        total += macs_of(module, step.shape)
    return total
