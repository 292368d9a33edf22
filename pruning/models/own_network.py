"""Networks that a user brings: any module that `graph.translate` accepts."""

import copy
import hashlib

import torch
from torch import nn

from pruning.models.base import NETWORKS, Network, OwnNetwork, build
from pruning.models.graph import UnsupportedNetworkError, translate
from pruning.models.graph_network import GraphNetwork, macs_of

PREFIX = "own-"
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
        Its name, a key of ``NETWORKS``, is a hash of the architecture and the weights.

    Raises
    ------
    UnsupportedNetworkError
        If an operation has no rule, or a weight is NaN or infinite.
    """
    model = _own_copy(translate(_on_cpu(module), shape))
    for name, tensor in model.state_dict().items():
        if not tensor.isfinite().all():
            raise UnsupportedNetworkError(f"{name} has NaN or infinite values: load other weights")
    digest = _digest(model)
    name = PREFIX + digest[:16]
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
    digest = hashlib.sha256(repr((model.shape, model.steps, str(model))).encode())
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
