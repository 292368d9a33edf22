"""The registry of networks, and functions that apply to every network."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import nn

from pruning.models.graph_network import GraphNetwork
from pruning.runtime.registry import Registry, register

NetworkFunction = Callable[[int, int, int], nn.Module]

IMAGE_CHANNELS = (1, 3)
IMAGE_SIZES = (28, 32)


@dataclass(frozen=True, eq=False)
class OwnNetwork:
    """A trained network that a user has brought.

    Parameters
    ----------
    model
        The network in eval mode, never modified.
    weights_sha256
        Hash of its architecture and its weights, hexadecimal.
    """

    model: GraphNetwork
    weights_sha256: str


@dataclass(frozen=True)
class Network:
    """A network and its description.

    Parameters
    ----------
    name
        Key in ``NETWORKS``.
    function
        Builds the network from the image channels, the image size and the number of classes.
    label
        Name for people.
    source
        Publication and deviations from it.
    slow
        Whether 10,000 images take more than a second on two cores; the pages then show an
        estimate first.
    residual
        Whether the network consists of residual blocks with batch norm, which allow a higher
        learning rate and fewer epochs (see `pruning.training`).
    own
        The trained network of a user; None for a network of this package.
    """

    name: str
    function: NetworkFunction
    label: str
    source: str
    slow: bool = False
    residual: bool = False
    own: OwnNetwork | None = None


NETWORKS: Registry[Network] = Registry("network")


def network(
    name: str, *, label: str, source: str, slow: bool = False, residual: bool = False
) -> Callable[[NetworkFunction], NetworkFunction]:
    """Return a decorator that registers a function as a network.

    The function takes the image channels, the image size in pixels and the number of classes,
    and returns an ``nn.Sequential`` of named stages.

    Parameters
    ----------
    name
        Key in ``NETWORKS``.
    label, source, slow, residual
        See `Network`.

    Returns
    -------
    Callable
        The decorator; it returns the function unchanged.
    """
    return register(
        NETWORKS, Network, name, label=label, source=source, slow=slow, residual=residual
    )


def build(name: str, *, channels: int, size: int, classes: int = 10, seed: int = 0) -> nn.Module:
    """Build a network with random initial weights.

    Parameters
    ----------
    name
        A key of ``NETWORKS``.
    channels
        Channels of the images, 1 or 3.
    size
        Height and width of the images in pixels, 28 or 32.
    classes
        Number of classes.
    seed
        Seed of the initial weights; the global random state does not change.

    Returns
    -------
    nn.Sequential or GraphNetwork
        Named stages that map images (N, channels, size, size) to logits (N, classes).

    Raises
    ------
    ValueError
        If the name is unknown or the image shape is not supported.
    """
    entry = NETWORKS[name]
    if entry.own is not None:
        return _untrained(entry.own.model, (channels, size, size), seed)
    if channels not in IMAGE_CHANNELS or size not in IMAGE_SIZES:
        raise ValueError(
            f"networks take images with 1 or 3 channels of 28 or 32 pixels, "
            f"not {channels} of {size}"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return entry.function(channels, size, classes)


def _untrained(model: GraphNetwork, shape: tuple[int, int, int], seed: int) -> GraphNetwork:
    """Copy a network, with the initial weights that PyTorch gives to each kind of module."""
    if model.shape != shape:
        raise ValueError(f"the network takes images of shape {model.shape}, not {shape}")
    model = copy.deepcopy(model).requires_grad_().train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in model.modules():
            reset = getattr(module, "reset_parameters", None)
            if reset is not None:
                reset()
    return model


def structure_of(name: str) -> tuple[nn.Module, int, int]:
    """Return a network whose layers and groups can be looked up, and the shape of its images.

    Parameters
    ----------
    name
        A key of ``NETWORKS``.

    Returns
    -------
    model : nn.Module
        Not to be modified.
    channels, size : int
        Channels and height (= width) of the images.
    """
    own = NETWORKS[name].own
    if own is not None:
        channels, size, _ = own.model.shape
        return own.model, channels, size
    return _shipped_structure(name), 1, 28


@lru_cache
def _shipped_structure(name: str) -> nn.Module:
    """A network of this package for images of 1 x 28 x 28, whose graph is found once."""
    return build(name, channels=1, size=28)


def prunable(model: nn.Module) -> dict[str, nn.Conv2d | nn.Linear]:
    """Return the layers whose weights are prunable: convolutions and linear layers.

    Parameters
    ----------
    model
        Any network.

    Returns
    -------
    dict of str to nn.Module
        The layers by qualified name, in the order of the network.
    """
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    }
