"""Masks made physical: a smaller network that computes the same as the masked one."""

import copy
from collections import OrderedDict
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from pruning.methods.connectivity import connected_network, constant_outputs
from pruning.models.channel_groups import ChannelGroup, channel_groups
from pruning.models.resnet import ResidualBlock


class Keep(nn.Module):
    """The image with removed pixels at zero: a convolution has no weights of its own for a pixel."""

    def __init__(self, kept: torch.Tensor):
        super().__init__()
        self.register_buffer("kept", kept)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.kept


class Select(nn.Module):
    """The inputs that are left, of those of a linear layer."""

    def __init__(self, places: torch.Tensor):
        super().__init__()
        self.register_buffer("places", places)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, self.places]


def remove(
    model: nn.Sequential, parameters: Mapping[str, torch.Tensor], channels: int, size: int
) -> nn.Sequential:
    """Build the smaller network.

    Removed are all units that make no difference (`connectivity.connected_network` says which), with all tied layers and all
    slices that read them; residual paths that say nothing; and inputs of a first linear layer that are masked or not
    read. At least one channel of each layer stays. Works on any network whose modules `structure.channel_groups` knows.

    Parameters
    ----------
    model : in eval mode, not modified
    parameters : masked parameters by name, and the images' mask ``input``, as of `Masks.apply`
    channels, size : of the images

    Returns
    -------
    A network in eval mode with the masked one's logits, up to rounding.
    """
    found = connected_network(model, parameters, channels, size)
    model = copy.deepcopy(model)
    for name, layer in found.layers.items():
        model.get_parameter(f"{name}.weight").data = torch.from_numpy(
            np.where(found.mask(name), layer.weight, 0)
        ).contiguous(memory_format=_layout(model.get_parameter(f"{name}.weight")))
    for name, value in found.vectors.items():
        model.get_parameter(name).data = torch.from_numpy(value)
    first, *hidden = channel_groups(model, channels, size)
    reader = first.consumers[0][0]
    linear = isinstance(model.get_submodule(reader), nn.Linear)
    inputs = _at_least_one(found.layers[reader].nonzero.any(0)) if linear else None
    for space in hidden:
        if space.producers and space.consumers:
            written = np.any([found.layers[name].nonzero.any(1) for name in space.producers], 0)
            says = written | (constant_outputs(found, model, space) != 0)
            read = np.any([found.layers[name].nonzero.any(0) for name, _ in space.consumers], 0)
            _cut(model, space, _at_least_one(says & read))
    pixels = parameters.get("input", torch.ones(1, 1, 1)).bool().expand(channels, size, size)
    return _assembled(model, reader, inputs, pixels)


def _at_least_one(alive: np.ndarray) -> torch.Tensor:
    alive = alive.copy()
    alive[0] |= not alive.any()
    return torch.from_numpy(alive)


def _layout(weight: torch.Tensor) -> torch.memory_format:
    """Of a convolution's weight: the fast kernels want channels last."""
    return (
        torch.channels_last
        if weight.ndim == 4 and weight.is_contiguous(memory_format=torch.channels_last)
        else torch.contiguous_format
    )


def _cut(model: nn.Module, space: ChannelGroup, alive: torch.Tensor) -> None:
    """Take the other channels out of all layers that write, normalise or read them."""
    for name in space.producers:
        layer = model.get_submodule(name)
        _set(
            layer,
            weight=layer.weight[alive],
            bias=None if layer.bias is None else layer.bias[alive],
        )
    for name in space.norms:
        norm = model.get_submodule(name)
        _set(norm, weight=norm.weight[alive], bias=norm.bias[alive])
        norm.running_mean, norm.running_var = norm.running_mean[alive], norm.running_var[alive]
        norm.num_features = int(alive.sum())
    for name, spread in space.consumers:
        layer = model.get_submodule(name)
        _set(layer, weight=layer.weight[:, alive.repeat_interleave(spread)], bias=layer.bias)


def _set(layer: nn.Module, *, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
    layer.weight = nn.Parameter(
        weight.detach().clone(memory_format=_layout(layer.weight)), requires_grad=False
    )
    layer.bias = None if bias is None else nn.Parameter(bias.detach().clone(), requires_grad=False)
    if isinstance(layer, nn.Conv2d):
        layer.out_channels, layer.in_channels = weight.shape[:2]
    elif isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = weight.shape


def _assembled(
    model: nn.Sequential, reader: str, inputs: torch.Tensor | None, pixels: torch.Tensor
) -> nn.Sequential:
    stages: OrderedDict[str, nn.Module] = OrderedDict()
    if inputs is None and not pixels.all():
        stages["pixels"] = Keep(pixels.to(model.get_parameter(f"{reader}.weight").dtype))
    for name, stage in model.named_children():
        if name == reader and inputs is not None and not inputs.all():
            stages["pixels"] = Select(inputs.nonzero()[:, 0])
            _set(stage, weight=stage.weight[:, inputs], bias=stage.bias)
        if isinstance(stage, ResidualBlock) and _silent(stage):
            stage = nn.Sequential(OrderedDict(shortcut=stage.shortcut, relu=stage.relu2))
        if not isinstance(stage, nn.Identity):
            stages[name] = stage
    return nn.Sequential(stages).eval()


def _silent(block: ResidualBlock) -> bool:
    """Whether a block's own path adds nothing."""
    return not block.bn2.weight.ne(0).any() and not block.bn2.bias.ne(0).any()


def largest_difference(model: nn.Module, other: nn.Module, x: torch.Tensor) -> float:
    """Between the logits of two networks for images (N, C, H, W)."""
    with torch.inference_mode():
        return max(float((model(part) - other(part)).abs().max()) for part in x.split(250))
