"""Channels that must be removed together, traced through one forward pass of a network.

There is one rule for each kind of module and none for a single network.
"""

import copy
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import torch
from torch import nn

from pruning.models.activations import record_activations
from pruning.models.blocks import Add


@dataclass(frozen=True)
class Consumer:
    """A layer that reads the channels of a group.

    Attributes
    ----------
    name : str
        Name of the convolution or linear layer.
    inputs_per_channel : int
        Number of adjacent inputs of the layer for one channel: more than one after a flatten.
    """

    name: str
    inputs_per_channel: int


@dataclass(eq=False)
class ChannelGroup:
    """Channels with all layers that produce, normalise, rectify and consume them.

    Attributes
    ----------
    channels : int
        Number of channels.
    producers : list of str
        Convolutions and linear layers whose outputs are these channels.
    norms, activations : list of str
        Batch norms and ReLUs that are applied to the channels.
    consumers : list of Consumer
        Convolutions and linear layers that read the channels.
    has_addition : bool
        Whether an addition takes part: its operands share their channels.
    """

    channels: int
    producers: list[str] = field(default_factory=list)
    norms: list[str] = field(default_factory=list)
    activations: list[str] = field(default_factory=list)
    consumers: list[Consumer] = field(default_factory=list)
    has_addition: bool = False

    def merge(self, other: "ChannelGroup") -> None:
        """Append the layers of another group.

        Parameters
        ----------
        other : ChannelGroup
            Not modified.
        """
        self.producers.extend(other.producers)
        self.norms.extend(other.norms)
        self.activations.extend(other.activations)
        self.consumers.extend(other.consumers)


_CHANNELWISE = (nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.Identity)

# Of the latest image shape of each model: ((channels, size), groups).
_cache: WeakKeyDictionary[nn.Module, tuple[tuple[int, int], list[ChannelGroup]]] = (
    WeakKeyDictionary()
)


def channel_groups(model: nn.Module, channels: int, size: int) -> list[ChannelGroup]:
    """Find the channel groups of a network, cached for each model.

    Parameters
    ----------
    model : nn.Module
        Not modified.
    channels, size : int
        Channels and height (= width) of the images.

    Returns
    -------
    list of ChannelGroup
        The group of the image's channels first, the others in the order in which they are
        first produced.

    Raises
    ------
    TypeError
        If there is no rule for a kind of module.
    """
    shape = (channels, size)
    cached = _cache.get(model)
    if cached is None or cached[0] != shape:
        cached = (shape, _trace(model, channels, size))
        _cache[model] = cached
    return cached[1]


def _trace(model: nn.Module, channels: int, size: int) -> list[ChannelGroup]:
    model = copy.deepcopy(model).eval()  # hooks must not be seen by other users of the model
    image = torch.zeros(1, channels, size, size, dtype=next(model.parameters()).dtype)
    tracer = _Tracer(image)
    leaves = [name for name, module in model.named_modules() if not list(module.children())]
    # The recorded tensors stay alive until the end: an identifier could be reused otherwise.
    with record_activations(model, leaves, tracer.visit), torch.no_grad():
        model(image)
    return tracer.groups


@dataclass(frozen=True)
class _TracedTensor:
    """How a tensor of the forward pass holds the channels of a group."""

    group: ChannelGroup
    inputs_per_channel: int = 1
    is_rectified: bool = False  # nonnegative after a ReLU: a second ReLU has no effect


class _Tracer:
    """Assigns every tensor of one forward pass to its channel group."""

    def __init__(self, image: torch.Tensor):
        self.groups = [ChannelGroup(image.shape[1])]
        self._tensors = {id(image): _TracedTensor(self.groups[0])}

    def visit(
        self, name: str, module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor
    ) -> None:
        """Record the effect of a module on channels; called after its forward pass."""
        self._tensors[id(output)] = self._output_of(name, module, inputs, output)

    def _output_of(
        self, name: str, module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor
    ) -> _TracedTensor:
        source = self._tensors[id(inputs[0])]
        group = source.group
        if isinstance(module, nn.Conv2d | nn.Linear):
            group.consumers.append(Consumer(name, source.inputs_per_channel))
            produced = ChannelGroup(output.shape[1], [name])
            self.groups.append(produced)
            return _TracedTensor(produced)
        if isinstance(module, nn.BatchNorm2d):
            group.norms.append(name)
            return _TracedTensor(group, source.inputs_per_channel)
        if isinstance(module, nn.ReLU):
            if not source.is_rectified:
                group.activations.append(name)
            return _TracedTensor(group, source.inputs_per_channel, is_rectified=True)
        if isinstance(module, nn.Flatten):
            positions = inputs[0][0, 0].numel()
            inputs_per_channel = source.inputs_per_channel * positions
            return _TracedTensor(group, inputs_per_channel, source.is_rectified)
        if isinstance(module, Add):
            merged = self._merge(group, self._tensors[id(inputs[1])].group)
            return _TracedTensor(merged, source.inputs_per_channel)
        if isinstance(module, _CHANNELWISE):
            return source
        raise TypeError(f"there is no rule for the effect of {type(module).__name__} on channels")

    def _merge(self, a: ChannelGroup, b: ChannelGroup) -> ChannelGroup:
        """Join the groups of two operands of an addition; the earlier one remains."""
        first, second = sorted((a, b), key=self.groups.index)
        first.has_addition = True
        if second is first:
            return first
        first.merge(second)
        self.groups.remove(second)
        for identifier, tensor in self._tensors.items():
            if tensor.group is second:
                self._tensors[identifier] = _TracedTensor(
                    first, tensor.inputs_per_channel, tensor.is_rectified
                )
        return first
