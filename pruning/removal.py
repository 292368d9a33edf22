"""Masks made physical: a smaller network that computes the same as the masked one."""

import copy
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from pruning.networks import prunable
from pruning.networks.resnet import Block
from pruning.structure import Space, spaces


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


@dataclass(eq=False)
class _Network:
    """A masked network as it is taken apart: ``weights`` are those of its prunable layers, with zeros for what is gone."""

    model: nn.Sequential
    spaces: list[Space]
    pixels: torch.Tensor  # (C, H, W) bool: which are left

    def layer(self, name: str) -> nn.Module:
        return self.model.get_submodule(name)

    def rows(self, name: str) -> torch.Tensor:
        """Which outputs of a layer have any weight: (outputs,) bool."""
        return self.layer(name).weight.flatten(1).ne(0).any(1)

    def columns(self, name: str, channels: int) -> torch.Tensor:
        """Which channels a layer reads with any weight: (channels,) bool."""
        return self.layer(name).weight.ne(0).transpose(0, 1).reshape(channels, -1).any(1)


def remove(model: nn.Sequential, parameters: Mapping[str, torch.Tensor], channels: int, size: int) -> nn.Sequential:
    """Build the smaller network.

    Removed are channels that say nothing (their weights, bias and batch norm are masked, or give zero behind the ReLU),
    channels whose constant value the next layer's bias can take over, channels that nobody reads, with all tied layers
    and all slices that read them; residual paths that say nothing; and inputs of a first linear layer that are masked or
    not read. At least one channel of each layer stays. Works on any network whose modules `structure.spaces` knows.

    Parameters
    ----------
    model : in eval mode, not modified
    parameters : masked parameters by name, and the images' mask ``input``, as of `Masks.apply`
    channels, size : of the images

    Returns
    -------
    A network in eval mode with the masked one's logits, up to rounding.
    """
    masked = copy.deepcopy(model)
    masked.load_state_dict({name: value for name, value in parameters.items() if name != "input"}, strict=False)
    pixels = parameters.get("input", torch.ones(1, 1, 1)).bool().expand(channels, size, size)
    network = _Network(masked, spaces(masked, channels, size), pixels)
    first, *hidden = network.spaces
    inputs = _inputs(network, first)
    while any([_free(network, space) for space in hidden if space.producers and space.consumers]):
        pass  # what one layer loses may leave another without a reader
    for space in hidden:
        if space.producers and space.consumers:
            _cut(network, space, _alive(network, space))
    return _assembled(network, first, inputs)


def _alive(network: _Network, space: Space) -> torch.Tensor:
    """Channels that still write or are read, at least one."""
    written = torch.stack([network.rows(name) for name in space.producers]).any(0) | _values(network, space).ne(0)
    read = torch.stack([network.columns(name, space.channels) for name, _ in space.consumers]).any(0)
    alive = written & read
    if not alive.any():
        alive[0] = True
    return alive


def _free(network: _Network, space: Space) -> bool:
    """Set to zero what makes no difference to the logits; whether anything changed."""
    before = _count(network)
    read = torch.stack([network.columns(name, space.channels) for name, _ in space.consumers]).any(0)
    _silence(network, space, ~read)
    written = torch.stack([network.rows(name) for name in space.producers]).any(0)
    constant = _values(network, space)  # of channels without any weight
    _fold(network, space, ~written & read & constant.ne(0), constant)
    written = written | _values(network, space).ne(0)
    for name, spread in space.consumers:
        weight = network.layer(name).weight
        weight.data[:, (~written).repeat_interleave(spread)] = 0
    return _count(network) != before


def _count(network: _Network) -> int:
    return sum(int(p.ne(0).sum()) for p in network.model.parameters())


def _silence(network: _Network, space: Space, gone: torch.Tensor) -> None:
    for name in (*space.producers, *space.norms):
        for value in network.layer(name).parameters():
            value.data[gone] = 0


def _values(network: _Network, space: Space) -> torch.Tensor:
    """What channels without any weight say, behind their ReLU if they have one, (channels,); tied ones say nothing only if none does.

    Those with weights get a value, too; it means nothing.
    """
    total = torch.zeros(space.channels, dtype=network.layer(space.producers[0]).weight.dtype)
    norms = dict(zip(space.producers, space.norms)) if space.norms else {}
    for name in space.producers:
        bias = network.layer(name).bias
        value = torch.zeros_like(total) if bias is None else bias.detach()
        if name in norms:
            norm = network.layer(norms[name])
            value = (value - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
        total = total + (value.abs() if space.tied else value.relu() if space.activations else value)
    return total


def _fold(network: _Network, space: Space, constant: torch.Tensor, values: torch.Tensor) -> None:
    """Let the readers' biases take over what constant channels say, where every reader can."""
    if space.tied or not constant.any() or not all(_takes(network.layer(name)) for name, _ in space.consumers):
        return
    for name, spread in space.consumers:
        layer = network.layer(name)
        weight = layer.weight.detach()
        per_channel = weight.reshape(len(weight), space.channels, -1).sum(2) if isinstance(layer, nn.Linear) else (
            weight.flatten(2).sum(2))
        layer.bias.data += per_channel[:, constant] @ values[constant]
    _silence(network, space, constant)


def _takes(layer: nn.Module) -> bool:
    """Whether a constant input adds the same at every output position: not where zeros are padded around it."""
    return layer.bias is not None and (isinstance(layer, nn.Linear) or not any(layer.padding))


def _inputs(network: _Network, first: Space) -> torch.Tensor | None:
    """Which inputs of a first linear layer are left, (inputs,) bool; None where a convolution reads the image."""
    [(name, *_)] = first.consumers if len(first.consumers) == 1 else [("",)]
    if not name or not isinstance(network.layer(name), nn.Linear):
        return None
    kept = network.pixels.flatten() & network.layer(name).weight.ne(0).any(0)
    if not kept.any():
        kept = kept.clone()
        kept[0] = True
    return kept


def _cut(network: _Network, space: Space, alive: torch.Tensor) -> None:
    """Take the other channels out of all layers that write, normalise or read them."""
    for name in space.producers:
        layer = network.layer(name)
        _set(layer, weight=layer.weight[alive], bias=None if layer.bias is None else layer.bias[alive])
    for name in space.norms:
        norm = network.layer(name)
        _set(norm, weight=norm.weight[alive], bias=norm.bias[alive])
        norm.running_mean, norm.running_var = norm.running_mean[alive], norm.running_var[alive]
        norm.num_features = int(alive.sum())
    for name, spread in space.consumers:
        layer = network.layer(name)
        _set(layer, weight=layer.weight[:, alive.repeat_interleave(spread)], bias=layer.bias)


def _set(layer: nn.Module, *, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
    layer.weight = nn.Parameter(weight.detach().clone(memory_format=torch.preserve_format), requires_grad=False)
    layer.bias = None if bias is None else nn.Parameter(bias.detach().clone(), requires_grad=False)
    if isinstance(layer, nn.Conv2d):
        layer.out_channels, layer.in_channels = weight.shape[:2]
    elif isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = weight.shape


def _assembled(network: _Network, first: Space, inputs: torch.Tensor | None) -> nn.Sequential:
    stages: OrderedDict[str, nn.Module] = OrderedDict()
    reader = first.consumers[0][0].partition(".")[0]
    if inputs is None and not network.pixels.all():
        stages["pixels"] = Keep(network.pixels.to(network.layer(first.consumers[0][0]).weight.dtype))
    for name, stage in network.model.named_children():
        if name == reader and inputs is not None and not inputs.all():
            stages["pixels"] = Select(inputs.nonzero()[:, 0])
            _set(stage, weight=stage.weight[:, inputs], bias=stage.bias)
        if isinstance(stage, Block) and _silent(stage):
            stage = nn.Sequential(OrderedDict(shortcut=stage.shortcut, relu=stage.relu2))
        if not isinstance(stage, nn.Identity):
            stages[name] = stage
    return nn.Sequential(stages).eval()


def _silent(block: Block) -> bool:
    """Whether a block's own path adds nothing."""
    return not block.bn2.weight.ne(0).any() and not block.bn2.bias.ne(0).any()


def largest_difference(model: nn.Module, other: nn.Module, x: torch.Tensor) -> float:
    """Between the logits of two networks for images (N, C, H, W)."""
    with torch.inference_mode():
        return max(float((model(part) - other(part)).abs().max()) for part in x.split(250))
