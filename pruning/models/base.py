"""The registry of networks and what is common to all of them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import nn

from pruning.runtime.registry import Registry, register


@dataclass(frozen=True)
class Network:
    """What the pages and the command line say of a network, and how to build it.

    ``slow`` networks need more than a second for 10,000 images on two cores: pages show an estimate first.
    """

    name: str
    function: Callable[[int, int, int], nn.Sequential]
    label: str
    source: str
    slow: bool = False


NETWORKS: Registry[Network] = Registry("network")


def network(name: str, **info) -> Callable:
    """Register ``function(channels, size, classes) -> nn.Sequential`` under a name."""
    return register(NETWORKS, Network, name, **info)


def build(
    name: str, *, channels: int, size: int, classes: int = 10, seed: int = 0
) -> nn.Sequential:
    """A freshly initialised network.

    Parameters
    ----------
    name : a key of ``NETWORKS``
    channels : of the images, 1 or 3
    size : height and width of the images in pixels, 28 or 32
    seed : of the initial weights; the global random state is left as it was

    Returns
    -------
    nn.Sequential of named stages, taking (N, channels, size, size) and giving logits (N, classes).

    Raises
    ------
    ValueError : unknown name, or an image shape that no dataset here has.
    """
    make = NETWORKS[name].function
    if channels not in (1, 3) or size not in (28, 32):
        raise ValueError(
            f"networks here take 1 or 3 channels of 28 or 32 pixels, not {channels} of {size}"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make(channels, size, classes)


def prunable(model: nn.Module) -> dict[str, nn.Module]:
    """Layers whose weights count as prunable, by name and in order: convolutions and linear layers."""
    return {name: m for name, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}


@lru_cache
def layer_names(name: str) -> tuple[str, ...]:
    """The prunable layers of a network, in order; the same for every image shape."""
    return tuple(prunable(build(name, channels=1, size=28)))
