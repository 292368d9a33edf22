"""Effective weights and biases of a masked network: those that can still change a logit.

A mask on single weights may leave a channel without incoming or without outgoing weights, and a
mask on units leaves the weights that read them. Neither can change a logit (effective sparsity,
Vysogorets and Kempe 2023, "Connectivity Matters: Neural Network Pruning Through the Lens of
Effective Sparsity").
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import nn

from pruning.models import prunable
from pruning.models.channel_groups import ChannelGroup, channel_groups


@dataclass(eq=False)
class Connections:
    """Effective connections between the input and output units of a prunable layer.

    An input unit is a channel, or a pixel for a linear layer that reads the image.

    Attributes
    ----------
    weight : np.ndarray
        Masked weights, in the shape of the parameter.
    nonzero : np.ndarray
        (outputs, inputs), the number of effective weights of each connection, int or bool.
    inputs_per_channel : int
        Number of adjacent columns of a linear layer's weight for one input unit.
    """

    weight: np.ndarray
    nonzero: np.ndarray
    inputs_per_channel: int


@dataclass(eq=False)
class ConnectedNetwork:
    """What remains of a masked network without its dead channels.

    Attributes
    ----------
    layers : dict of str to Connections
        Connections of every prunable layer.
    vectors : dict of str to np.ndarray
        Biases and batch-norm parameters by parameter name. They are zero for dead channels, and
        biases include the constant channels that they have absorbed.
    """

    layers: dict[str, Connections]
    vectors: dict[str, np.ndarray]

    @property
    def parameters(self) -> int:
        """Number of effective parameters, biases and batch norm included."""
        weights = sum(self.weights(name) for name in self.layers)
        vectors = sum(int(np.count_nonzero(values)) for values in self.vectors.values())
        return weights + vectors

    def weights(self, name: str) -> int:
        """Return the number of effective weights of a layer.

        Parameters
        ----------
        name : str
            Name of a prunable layer.

        Returns
        -------
        int
            At most the number of its weights.
        """
        return int(self.layers[name].nonzero.sum())

    def mask(self, name: str) -> np.ndarray:
        """Return which weights of a layer are effective.

        Parameters
        ----------
        name : str
            Name of a prunable layer.

        Returns
        -------
        np.ndarray
            Bool in the shape of the weight.
        """
        layer = self.layers[name]
        # A connection is removed as a whole: all its nonzero weights are effective, or none is.
        connected = layer.nonzero > 0
        if layer.weight.ndim == 2:
            return (layer.weight != 0) & connected.repeat(layer.inputs_per_channel, axis=1)
        return (layer.weight != 0) & connected[:, :, None, None]


@dataclass(frozen=True, eq=False)
class ChannelState:
    """Which channels of a group have connections, each of shape (channels,).

    Attributes
    ----------
    written : np.ndarray of bool
        Channels with incoming weights.
    read : np.ndarray of bool
        Channels with outgoing weights.
    constant : np.ndarray of float
        Output of the channels that have no incoming weights; undefined for the others.
    """

    written: np.ndarray
    read: np.ndarray
    constant: np.ndarray

    @property
    def absorbable(self) -> np.ndarray:
        """Channels that are read and whose output is the same nonzero value for every image."""
        return ~self.written & self.read & (self.constant != 0)

    @property
    def has_output(self) -> np.ndarray:
        """Channels whose output is not always zero."""
        return self.written | (self.constant != 0)


def connected_network(
    model: nn.Module, parameters: Mapping[str, torch.Tensor], channels: int, size: int
) -> ConnectedNetwork:
    """Propagate dead channels to a fixed point.

    Removes channels without outgoing weights, channels whose output is always zero, channels with
    a constant output that the biases of all consumers can absorb, and all weights from or to these
    channels.

    Parameters
    ----------
    model : nn.Module
        Network in eval mode, not modified.
    parameters : mapping of str to torch.Tensor
        Masked parameters and the mask of the images, ``input``, as `Masks.apply` returns them.
    channels, size : int
        Channels and height (= width) of the images.

    Returns
    -------
    ConnectedNetwork
        Effective weights, biases and batch norms.
    """
    image_group, *other_groups = channel_groups(model, channels, size)
    network = _all_connections(model, parameters, other_groups)
    if "input" in parameters:
        pixels = parameters["input"].bool().expand(channels, size, size).flatten().numpy()
        _disconnect_pixels(network, image_group, ~pixels)

    hidden_groups = [group for group in other_groups if group.producers and group.consumers]
    changed = True
    while changed:  # removing channels of one group may leave another without consumers
        changed = False
        for group in hidden_groups:
            if propagate_dead_channels(network, model, group):
                changed = True
    return network


def channel_state(network: ConnectedNetwork, model: nn.Module, group: ChannelGroup) -> ChannelState:
    """Determine which channels of a group have incoming and outgoing weights.

    Parameters
    ----------
    network : ConnectedNetwork
        Connections so far.
    model : nn.Module
        Network with the running statistics of the batch norms.
    group : ChannelGroup
        Group with producers and consumers.

    Returns
    -------
    ChannelState
        State of each channel; ``constant`` is zero where every channel is written.
    """
    written = np.any([network.layers[name].nonzero.any(1) for name in group.producers], 0)
    if written.all():
        constant = np.zeros(group.channels)
    else:
        constant = constant_outputs(network, model, group)
    return ChannelState(written, channels_read(network, group), constant)


def channels_read(network: ConnectedNetwork, group: ChannelGroup) -> np.ndarray:
    """Return which channels of a group have outgoing weights.

    Parameters
    ----------
    network : ConnectedNetwork
        Connections so far.
    group : ChannelGroup
        Group with consumers.

    Returns
    -------
    np.ndarray
        (channels,) bool.
    """
    consumers = [network.layers[consumer.name] for consumer in group.consumers]
    return np.any([consumer.nonzero.any(0) for consumer in consumers], 0)


def propagate_dead_channels(
    network: ConnectedNetwork, model: nn.Module, group: ChannelGroup
) -> bool:
    """Remove the dead and the absorbable channels of one group.

    Parameters
    ----------
    network : ConnectedNetwork
        Connections so far, modified in place.
    model : nn.Module
        Network with the running statistics of the batch norms.
    group : ChannelGroup
        Group with producers and consumers.

    Returns
    -------
    bool
        Whether anything was removed.
    """
    changed = zero_channels(network, group, ~channels_read(network, group))
    state = channel_state(network, model, group)
    if state.written.all():
        return changed

    has_output = state.has_output
    absorbable = state.absorbable
    if absorbable.any() and bias_can_absorb(model, group):
        _absorb_constants(network, group, absorbable, state.constant)
        changed |= zero_channels(network, group, absorbable)
        has_output = has_output & ~absorbable
    for consumer in group.consumers:
        nonzero = network.layers[consumer.name].nonzero
        changed |= bool(nonzero[:, ~has_output].any())
        nonzero[:, ~has_output] = 0
    return changed


def zero_channels(network: ConnectedNetwork, group: ChannelGroup, removed: np.ndarray) -> bool:
    """Set weights, biases and batch norms that produce channels to zero.

    Parameters
    ----------
    network : ConnectedNetwork
        Modified in place.
    group : ChannelGroup
        Group of the channels.
    removed : np.ndarray
        (channels,) bool.

    Returns
    -------
    bool
        Whether any of them was nonzero.
    """
    if not removed.any():
        return False
    arrays = [network.layers[name].nonzero for name in group.producers]
    for name in (*group.producers, *group.norms):
        for parameter in (f"{name}.weight", f"{name}.bias"):
            if parameter in network.vectors:
                arrays.append(network.vectors[parameter])
    changed = False
    for array in arrays:
        changed |= bool(array[removed].any())
        array[removed] = 0
    return changed


def constant_outputs(
    network: ConnectedNetwork, model: nn.Module, group: ChannelGroup
) -> np.ndarray:
    """Compute the constant output of each channel that has no incoming weights.

    Parameters
    ----------
    network : ConnectedNetwork
        Biases and batch norms.
    model : nn.Module
        Network with the running statistics of the batch norms.
    group : ChannelGroup
        Group of the channels.

    Returns
    -------
    np.ndarray
        (channels,) float64, after the ReLU if there is one; undefined for channels with incoming
        weights. Of channels that an addition joins, the sum of the producers' absolute values:
        zero only if every producer's output is zero.
    """
    total = np.zeros(group.channels)
    norms: dict[str, str] = {}
    if group.norms:
        norms = dict(zip(group.producers, group.norms, strict=True))
    for name in group.producers:
        output = network.vectors.get(f"{name}.bias", np.zeros(group.channels))
        if name in norms:
            output = _normalised(network, model, norms[name], output)
        if group.has_addition:
            output = np.abs(output)
        elif group.activations:
            output = np.maximum(output, 0)
        total = total + output
    return total


def bias_can_absorb(model: nn.Module, group: ChannelGroup) -> bool:
    """Tell whether the biases of a group's consumers can replace a constant channel.

    A constant input must contribute the same at every output position: padding with zeros would
    make a difference at the border.

    Parameters
    ----------
    model : nn.Module
        Network with the consumers.
    group : ChannelGroup
        Group of the channel.

    Returns
    -------
    bool
        False also for channels that an addition joins.
    """
    if group.has_addition:
        return False
    for consumer in group.consumers:
        layer = model.get_submodule(consumer.name)
        if layer.bias is None:
            return False
        if isinstance(layer, nn.Conv2d) and any(layer.padding):
            return False
    return True


def _all_connections(
    model: nn.Module, parameters: Mapping[str, torch.Tensor], groups: list[ChannelGroup]
) -> ConnectedNetwork:
    """Return the connections of the masked network, dead channels included."""
    values = {name: value.detach() for name, value in model.named_parameters()}
    values |= dict(parameters)
    inputs_per_channel = {}
    for group in groups:
        for consumer in group.consumers:
            inputs_per_channel[consumer.name] = consumer.inputs_per_channel
    layers = {}
    for name in prunable(model):
        weight = values.pop(f"{name}.weight").numpy()
        layers[name] = _connections(weight, inputs_per_channel.get(name, 1))
    values.pop("input", None)
    vectors = {name: value.numpy().copy() for name, value in values.items()}
    return ConnectedNetwork(layers, vectors)


def _connections(weight: np.ndarray, inputs_per_channel: int) -> Connections:
    nonzero = weight != 0
    if inputs_per_channel > 1 or weight.ndim > 2:
        inputs = weight.shape[1] // inputs_per_channel
        nonzero = nonzero.reshape(len(weight), inputs, -1).sum(2)
    return Connections(weight, nonzero, inputs_per_channel)


def _disconnect_pixels(
    network: ConnectedNetwork, image_group: ChannelGroup, removed: np.ndarray
) -> None:
    """Remove weights that read removed pixels; no weight of a convolution reads a single pixel."""
    for consumer in image_group.consumers:
        layer = network.layers[consumer.name]
        if layer.weight.ndim == 2:
            layer.nonzero[:, removed] = 0


def _absorb_constants(
    network: ConnectedNetwork, group: ChannelGroup, channels: np.ndarray, constant: np.ndarray
) -> None:
    """Add the contribution of constant channels to the consumers' biases."""
    for consumer in group.consumers:
        layer = network.layers[consumer.name]
        weight_sums = layer.weight.reshape(*layer.nonzero.shape, -1).sum(2)  # (outputs, channels)
        effective = np.where(layer.nonzero > 0, weight_sums, 0)
        network.vectors[f"{consumer.name}.bias"] += effective[:, channels] @ constant[channels]


def _normalised(
    network: ConnectedNetwork, model: nn.Module, norm: str, values: np.ndarray
) -> np.ndarray:
    """Apply a batch norm in eval mode to one value per channel."""
    eps = cast(nn.BatchNorm2d, model.get_submodule(norm)).eps
    deviation = np.sqrt(model.get_buffer(f"{norm}.running_var").numpy() + eps)
    centred = (values - model.get_buffer(f"{norm}.running_mean").numpy()) / deviation
    return centred * network.vectors[f"{norm}.weight"] + network.vectors[f"{norm}.bias"]
