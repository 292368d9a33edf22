"""What can be removed. A method names its units, group by group, and says which parameters each of them is made of."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import torch
from torch import nn

from pruning.models import build, prunable
from pruning.models.channel_groups import channel_groups
from pruning.models.resnet import ResidualBlock
from pruning.runtime.registry import Registry, register


@dataclass(frozen=True)
class UnitGroup:
    """Units that are ranked together: a layer's weights, the filters of tied layers, the layers of a network, ...

    ``shape`` is how the units are arranged; ``layers`` are the prunable layers that they belong to; ``norms`` and
    ``activations`` the batch norms and ReLUs behind them; ``names`` those of the units, where they have any;
    ``min_kept`` is how many of them always remain.
    """

    name: str
    shape: tuple[int, ...]
    layers: tuple[str, ...] = ()
    norms: tuple[str, ...] = ()
    activations: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    min_kept: int = 0

    @property
    def units(self) -> int:
        return math.prod(self.shape)

    def label(self, unit: int) -> str:
        return self.names[unit] if self.names else str(unit)


@dataclass(frozen=True)
class Method:
    """``function(model, channels, size, grouping) -> [UnitGroup]``, ``masks_for(model, group, gone) -> {parameter: kept}``.

    ``masks_for`` goes from (units,) bool to masks of the parameters' shapes. ``groupings`` are the ways in which units can
    be put together, the first one by default.
    """

    name: str
    function: Callable[[nn.Module, int, int, str], list[UnitGroup]]
    masks_for: Callable[[nn.Module, UnitGroup, torch.Tensor], dict[str, torch.Tensor]]
    label: str
    unit: str
    help: str
    groupings: Mapping[str, str] = field(default_factory=dict)


METHODS: Registry[Method] = Registry("method")


def method(name: str, **info) -> Callable:
    return register(METHODS, Method, name, **info)


def _weights_kept(
    model: nn.Module, group: UnitGroup, gone: torch.Tensor
) -> dict[str, torch.Tensor]:
    return {f"{group.name}.weight": ~gone.view(group.shape)}


@method(
    "weight",
    masks_for=_weights_kept,
    label="Weights",
    unit="weight",
    help="Single weights of convolution and linear layers are set to zero (unstructured pruning).",
)
def weight(model: nn.Module, channels: int, size: int, grouping: str) -> list[UnitGroup]:
    return [
        UnitGroup(name, tuple(layer.weight.shape), (name,))
        for name, layer in prunable(model).items()
    ]


def _channels_kept(
    model: nn.Module, group: UnitGroup, gone: torch.Tensor
) -> dict[str, torch.Tensor]:
    """A weight left in bias or batch norm would go on speaking: masked must be the same as removed."""
    return {
        f"{name}.{key}": (~gone).view(-1, *[1] * (value.ndim - 1)).expand(value.shape)
        for name in (*group.layers, *group.norms)
        for key, value in model.get_submodule(name).named_parameters()
    }


ADDITIONS = {
    "inside": "only inside residual blocks",
    "across": "also across the additions, tied channels as one unit",
}


@method(
    "neuron",
    masks_for=_channels_kept,
    label="Neurons",
    unit="neuron",
    groupings=ADDITIONS,
    help="Hidden outputs of a layer, scored by what they do on calibration images; a convolution's channel is one "
    "neuron. Weight, bias and batch norm of the neuron go together.",
)
@method(
    "filter",
    masks_for=_channels_kept,
    label="Filters",
    unit="filter",
    groupings=ADDITIONS,
    help="Output channels of convolutions and of hidden linear layers, with weight, bias and batch norm "
    "(structured pruning).",
)
def channels(model: nn.Module, channels: int, size: int, grouping: str) -> list[UnitGroup]:
    return [
        UnitGroup(
            s.producers[0],
            (s.channels,),
            tuple(s.producers),
            tuple(s.norms),
            tuple(s.activations),
            min_kept=1,
        )
        for s in channel_groups(model, channels, size)
        if s.producers and s.consumers and (grouping == "across" or not s.has_addition)
    ]


def _layers_kept(model: nn.Module, group: UnitGroup, gone: torch.Tensor) -> dict[str, torch.Tensor]:
    """A block's own path falls silent; plain layers have no other path, so `refit.without` takes them out instead."""
    return {
        f"{name}.{key}": torch.zeros(value.shape, dtype=torch.bool)
        for name, lost in zip(group.names, gone.tolist())
        if lost and is_block(model, name)
        for key, value in model.get_submodule(name).named_parameters()
    }


@method(
    "layer",
    masks_for=_layers_kept,
    label="Layers",
    unit="layer",
    help="Whole layers: residual blocks with an identity shortcut; in the LeNets a hidden linear layer or the second "
    "convolution, after which the next layer is refitted by least squares on the calibration images.",
)
def layer(model: nn.Module, channels: int, size: int, grouping: str) -> list[UnitGroup]:
    blocks = [name for name, m in model.named_modules() if isinstance(m, ResidualBlock)]
    if blocks:
        names = [
            name for name in blocks if isinstance(model.get_submodule(name).shortcut, nn.Identity)
        ]
    else:
        names = list(prunable(model))[:-1]
        names = [
            name
            for name in names
            if name != names[0] or not isinstance(model.get_submodule(name), nn.Conv2d)
        ]
    return (
        [
            UnitGroup(
                "layers",
                (len(names),),
                tuple(layer for name in names for layer in layers_in(model, name)),
                names=tuple(names),
            )
        ]
        if names
        else []
    )


def _pixels_kept(model: nn.Module, group: UnitGroup, gone: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"input": ~gone.view(group.shape)}


@method(
    "feature",
    masks_for=_pixels_kept,
    label="Input pixels",
    unit="pixel",
    groupings={"position": "all channels of a position", "channel": "each channel by itself"},
    help="Pixels of the image are replaced by the mean of the training images (zero for the network). "
    "No weight is removed.",
)
def feature(model: nn.Module, channels: int, size: int, grouping: str) -> list[UnitGroup]:
    return [UnitGroup("input", (channels if grouping == "channel" else 1, size, size), min_kept=1)]


def is_block(model: nn.Module, name: str) -> bool:
    return isinstance(model.get_submodule(name), ResidualBlock)


def layers_in(model: nn.Module, name: str) -> list[str]:
    """The prunable layers of a unit of the method ``layer``: itself, or those of the block."""
    return [layer for layer in prunable(model) if layer == name or layer.startswith(f"{name}.")]


def groups(
    model: nn.Module, method: str, grouping: str, channels: int, size: int
) -> dict[str, UnitGroup]:
    """The groups of a network by name, in network order."""
    return {
        group.name: group for group in METHODS[method].function(model, channels, size, grouping)
    }


@lru_cache
def groups_of(network: str, method: str, grouping: str) -> dict[str, UnitGroup]:
    """The groups of an untouched network; their names are the same for every image shape."""
    return groups(build(network, channels=1, size=28), method, grouping, 1, 28)


def groupings_for(network: str, method: str) -> list[str]:
    """The groupings that differ: a network without additions has no channels that they tie."""
    names = list(METHODS[method].groupings)
    if METHODS[method].groupings is ADDITIONS:
        return names if len({tuple(groups_of(network, method, name)) for name in names}) > 1 else []
    return names


def surviving_units(
    method: str, model: nn.Module, group: UnitGroup, masks: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    """Which units earlier steps have left, (units,) bool: a unit is gone when all its parameters are."""
    every = torch.ones(group.units, dtype=torch.bool)
    if method == "feature":
        mask = masks.get("input")  # (channels or 1, size, size)
        if mask is None:
            return every
        return (mask.any(0) if group.shape[0] == 1 else mask.expand(group.shape)).flatten()
    if method == "weight":
        return masks.get(f"{group.name}.weight", every).flatten()
    if method == "layer":
        return torch.tensor(
            [
                any(
                    f"{layer}.weight" not in masks or bool(masks[f"{layer}.weight"].any())
                    for layer in layers_in(model, name)
                )
                for name in group.names
            ]
        )
    parameters = [
        f"{name}.{key}"
        for name in (*group.layers, *group.norms)
        for key, _ in model.get_submodule(name).named_parameters()
    ]
    return torch.stack(
        [
            masks[name].flatten(1).any(1)
            if name in masks and masks[name].ndim > 1
            else masks.get(name, every)
            for name in parameters
        ]
    ).any(0)
