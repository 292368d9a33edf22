"""Physical removal: a smaller network that computes the same as the masked one."""

import copy
from collections import OrderedDict
from collections.abc import Mapping
from typing import cast

import numpy as np
import torch
from torch import nn

from pruning.methods.connectivity import ConnectedNetwork, channel_state, connected_network
from pruning.models.blocks import ResidualBlock
from pruning.models.channel_groups import ChannelGroup, channel_groups


class MaskPixels(nn.Module):
    """Set removed pixels of the image to zero: a convolution has no weights of its own for them.

    Parameters
    ----------
    mask : torch.Tensor
        (channels, height, width), 1 where a pixel is kept and 0 elsewhere.
    """

    def __init__(self, mask: torch.Tensor):
        super().__init__()
        self.mask: torch.Tensor
        self.register_buffer("mask", mask)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the masked images, (N, channels, height, width)."""
        return x * self.mask


class SelectInputs(nn.Module):
    """Keep some of the inputs of a linear layer.

    Parameters
    ----------
    indices : torch.Tensor
        Indices of the kept inputs.
    """

    def __init__(self, indices: torch.Tensor):
        super().__init__()
        self.indices: torch.Tensor
        self.register_buffer("indices", indices)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the kept inputs, (N, kept)."""
        return x[:, self.indices]


def remove(
    model: nn.Sequential, parameters: Mapping[str, torch.Tensor], channels: int, size: int
) -> nn.Sequential:
    """Build the smaller network.

    Removed are all dead channels (see `connectivity.connected_network`), with the weights of
    every layer that produces, normalises or reads them; residual branches whose output is zero;
    and inputs of a first linear layer that are masked or not read. At least one channel of each
    layer remains. Works for any network whose modules `channel_groups` covers.

    Parameters
    ----------
    model : nn.Sequential
        Network in eval mode, not modified.
    parameters : mapping of str to torch.Tensor
        Masked parameters and the mask of the images, ``input``, as `Masks.apply` returns them.
    channels, size : int
        Channels and height (= width) of the images.

    Returns
    -------
    nn.Sequential
        Network in eval mode that returns the logits of the masked network, up to rounding.

    Raises
    ------
    TypeError
        If `channel_groups` has no rule for a kind of module.
    """
    network = connected_network(model, parameters, channels, size)
    model = copy.deepcopy(model)
    _load(model, network)
    image_group, *other_groups = channel_groups(model, channels, size)
    first_layer = image_group.consumers[0].name
    inputs = None
    if isinstance(model.get_submodule(first_layer), nn.Linear):
        inputs = _at_least_one(np.asarray(network.layers[first_layer].nonzero.any(0)))
    for group in other_groups:
        if group.producers and group.consumers:
            state = channel_state(network, model, group)
            _keep_channels(model, group, _at_least_one(state.has_output & state.read))
    pixels = parameters.get("input", torch.ones(1, 1, 1)).bool().expand(channels, size, size)
    return _assemble(model, first_layer, inputs, pixels)


def _load(model: nn.Module, network: ConnectedNetwork) -> None:
    """Write effective weights, biases and batch norms into a model."""
    for name, layer in network.layers.items():
        parameter = model.get_parameter(f"{name}.weight")
        weight = torch.from_numpy(np.where(network.mask(name), layer.weight, 0))
        parameter.data = weight.contiguous(memory_format=_memory_format(parameter))
    for name, values in network.vectors.items():
        model.get_parameter(name).data = torch.from_numpy(values)


def _at_least_one(kept: np.ndarray) -> torch.Tensor:
    """Keep the first unit where none is kept."""
    kept = kept.copy()
    kept[0] |= not kept.any()
    return torch.from_numpy(kept)


def _memory_format(weight: torch.Tensor) -> torch.memory_format:
    """Return the memory format of a weight: fast convolutions need channels last."""
    if weight.ndim == 4 and weight.is_contiguous(memory_format=torch.channels_last):
        return torch.channels_last
    return torch.contiguous_format


def _keep_channels(model: nn.Module, group: ChannelGroup, kept: torch.Tensor) -> None:
    """Remove all other channels from the layers that produce, normalise or read them."""
    for name in group.producers:
        layer = _layer(model, name)
        bias = None if layer.bias is None else layer.bias[kept]
        _replace_parameters(layer, weight=layer.weight[kept], bias=bias)
    for name in group.norms:
        norm = cast(nn.BatchNorm2d, model.get_submodule(name))
        _replace_parameters(norm, weight=norm.weight[kept], bias=norm.bias[kept])
        norm.running_mean = model.get_buffer(f"{name}.running_mean")[kept]
        norm.running_var = model.get_buffer(f"{name}.running_var")[kept]
        norm.num_features = int(kept.sum())
    for consumer in group.consumers:
        layer = _layer(model, consumer.name)
        inputs = kept.repeat_interleave(consumer.inputs_per_channel)
        _replace_parameters(layer, weight=layer.weight[:, inputs], bias=layer.bias)


def _replace_parameters(
    layer: nn.Conv2d | nn.Linear | nn.BatchNorm2d,
    *,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
) -> None:
    weight = weight.detach().clone(memory_format=_memory_format(layer.weight))
    layer.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    layer.register_parameter("bias", bias)
    if isinstance(layer, nn.Conv2d):
        layer.out_channels, layer.in_channels = weight.shape[:2]
    elif isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = weight.shape


def _assemble(
    model: nn.Sequential, first_layer: str, inputs: torch.Tensor | None, pixels: torch.Tensor
) -> nn.Sequential:
    """Put the stages together, without the identities and the residual branches that are zero.

    ``inputs`` are the kept inputs of a first linear layer, None for a convolution; ``pixels`` the
    kept pixels.
    """
    stages: OrderedDict[str, nn.Module] = OrderedDict()
    if inputs is None and not pixels.all():
        dtype = model.get_parameter(f"{first_layer}.weight").dtype
        stages["pixels"] = MaskPixels(pixels.to(dtype))
    for name, stage in model.named_children():
        if name == first_layer and inputs is not None and not inputs.all():
            stages["pixels"] = SelectInputs(inputs.nonzero()[:, 0])
            layer = _layer(model, name)
            _replace_parameters(layer, weight=layer.weight[:, inputs], bias=layer.bias)
        if isinstance(stage, ResidualBlock) and _is_branch_zero(stage):
            stages[name] = nn.Sequential(OrderedDict(shortcut=stage.shortcut, relu=stage.relu2))
        elif not isinstance(stage, nn.Identity):
            stages[name] = stage
    return nn.Sequential(stages).eval()


def _layer(model: nn.Module, name: str) -> nn.Conv2d | nn.Linear:
    return cast(nn.Conv2d | nn.Linear, model.get_submodule(name))


def _is_branch_zero(block: ResidualBlock) -> bool:
    """Tell whether the residual branch of a block always adds zero."""
    return not block.bn2.weight.ne(0).any() and not block.bn2.bias.ne(0).any()
