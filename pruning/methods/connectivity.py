"""Effective weights and biases of a masked network: those that can still change a logit.

A mask on single weights may leave a channel without incoming or without outgoing weights, and a
mask on units leaves the weights that read them. Neither can change a logit (effective sparsity,
Vysogorets and Kempe 2023, "Connectivity Matters: Neural Network Pruning Through the Lens of
Effective Sparsity").
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np
import torch
from torch import nn

from pruning.models import prunable
from pruning.models.blocks import (
    Add,
    Concatenate,
    MaskPixels,
    Multiply,
    SelectChannels,
    SliceChannels,
)
from pruning.models.channel_groups import ChannelGroup, NetworkGraph, network_graph
from pruning.models.graph import ACTIVATIONS, IDENTITIES, NORMS
from pruning.models.graph_network import IMAGE


@dataclass(eq=False)
class Connections:
    """Effective connections between the input and output units of a prunable layer.

    An input unit is a channel, or a pixel for a linear layer that reads the image.

    Attributes
    ----------
    weight : np.ndarray
        Masked weights, in the shape of the parameter.
    nonzero : np.ndarray
        (outputs, inputs of a part), the number of effective weights of each connection, int or
        bool. Without ``parts``, every output reads every input.
    inputs_per_channel : int
        Number of adjacent columns of a linear layer's weight for one input unit.
    parts : int
        Number of parts of a grouped convolution: the outputs of a part read its inputs only.
    is_padded : bool
        Whether zeros are padded, so that a constant input has another effect at the border.
    """

    weight: np.ndarray
    nonzero: np.ndarray
    inputs_per_channel: int
    parts: int = 1
    is_padded: bool = False

    @property
    def inputs_read(self) -> np.ndarray:
        """Which inputs have outgoing weights, (inputs,) bool."""
        by_part = self.nonzero.reshape(self.parts, -1, self.nonzero.shape[1])
        return by_part.any(1).ravel()

    def constant_outputs(self, inputs: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
        """Remove connections from constant inputs, and compute the outputs that become constant.

        Connections from inputs that are always zero are removed. Those from other constant inputs
        are removed if the bias can absorb them: where zeros are padded, or without a bias, they
        remain.

        Parameters
        ----------
        inputs : np.ndarray
            (inputs,) float64, values of the constant inputs; NaN for all others.
        bias : np.ndarray, optional
            (outputs,), modified in place.

        Returns
        -------
        np.ndarray
            (outputs,) float64, values of the constant outputs; NaN for all others.
        """
        if not np.isnan(inputs).all():
            self._remove_inputs(inputs, bias)
        values = np.zeros(len(self.nonzero)) if bias is None else bias.astype(np.float64)
        values[self.nonzero.any(1)] = np.nan
        return values

    def _remove_inputs(self, inputs: np.ndarray, bias: np.ndarray | None) -> None:
        can_absorb = bias is not None and not self.is_padded
        removed = ~np.isnan(inputs) if can_absorb else inputs == 0
        by_part = self.nonzero.reshape(self.parts, -1, self.nonzero.shape[1])
        weight_sums = self.weight.reshape(*by_part.shape, -1)
        for part, columns in enumerate(removed.reshape(self.parts, -1)):
            if not columns.any():
                continue
            if bias is not None and can_absorb:
                values = inputs.reshape(self.parts, -1)[part][columns]
                sums = weight_sums[part][:, columns].sum(2)
                effective = np.where(by_part[part][:, columns] > 0, sums, 0)
                outputs = slice(part * by_part.shape[1], (part + 1) * by_part.shape[1])
                bias[outputs] += effective @ values
            by_part[part][:, columns] = 0


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


def connected_network(
    model: nn.Module, parameters: Mapping[str, torch.Tensor], channels: int, size: int
) -> ConnectedNetwork:
    """Find the dead channels, and the weights from and to them.

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
    graph = network_graph(model, channels, size)
    network = _all_connections(graph, model, parameters)
    if "input" in parameters:
        pixels = parameters["input"].bool().expand(channels, size, size).flatten().numpy()
        _disconnect_pixels(network, graph, ~pixels)

    propagate_constants(network, graph, model)
    remove_unread_channels(network, graph.groups)
    return network


def remove_unread_channels(network: ConnectedNetwork, groups: Sequence[ChannelGroup]) -> None:
    """Set everything to zero that only produces channels that no layer reads.

    Parameters
    ----------
    network : ConnectedNetwork
        Modified in place.
    groups : sequence of ChannelGroup
        All groups of the network.
    """
    hidden_groups = [group for group in groups if group.can_be_removed]
    changed = True
    while changed:  # removing channels of one group may leave another without consumers
        changed = False
        for group in reversed(hidden_groups):
            changed |= zero_channels(network, group, ~channels_read(network, group))


def channels_read(network: ConnectedNetwork, group: ChannelGroup) -> np.ndarray:
    """Return which units of a group have outgoing weights.

    Parameters
    ----------
    network : ConnectedNetwork
        Connections so far.
    group : ChannelGroup
        Group with consumers.

    Returns
    -------
    np.ndarray
        (units,) bool.
    """
    read = np.zeros(group.channels, bool)
    for consumer in group.consumers:
        inputs = network.layers[consumer.name].inputs_read
        read |= inputs[consumer.channels].any(1)
    return read


def zero_channels(network: ConnectedNetwork, group: ChannelGroup, removed: np.ndarray) -> bool:
    """Set weights, biases and batch norms that produce channels to zero.

    Parameters
    ----------
    network : ConnectedNetwork
        Modified in place.
    group : ChannelGroup
        Group of the channels.
    removed : np.ndarray
        (units,) bool.

    Returns
    -------
    bool
        Whether any of them was nonzero.
    """
    if not removed.any():
        return False
    changed = False
    for name, places in group.rows.items():
        rows = places[removed].ravel()
        arrays = [network.vectors.get(f"{name}.{key}") for key in ("weight", "bias")]
        if name in network.layers:
            arrays.append(network.layers[name].nonzero)
        for array in arrays:
            if array is not None:
                changed |= bool(array[rows].any())
                array[rows] = 0
    return changed


def propagate_constants(
    network: ConnectedNetwork, graph: NetworkGraph, model: nn.Module
) -> dict[str, np.ndarray]:
    """Remove the connections from channels whose value is the same for every image and position.

    Where that value is not zero, the biases of the layers that read it absorb it if they can.

    Parameters
    ----------
    network : ConnectedNetwork
        Connections and biases, modified in place.
    graph : NetworkGraph
        Graph of the network.
    model : nn.Module
        Network with the running statistics of the batch norms.

    Returns
    -------
    dict of str to np.ndarray
        For each step the values of the constant features of its result, (features,) float64; NaN
        for those that are not constant.
    """
    values = {IMAGE: np.full(graph.network.shape[0], np.nan)}
    for step in graph.network.steps:
        inputs = [values[name] for name in step.inputs]
        if step.name in network.layers:
            layer = network.layers[step.name]
            [features] = inputs
            bias = network.vectors.get(f"{step.name}.bias")
            values[step.name] = layer.constant_outputs(features[:: layer.inputs_per_channel], bias)
        else:
            shapes = graph.network.input_shapes(step)
            module = graph.network.get_submodule(step.name)
            normalised = partial(_normalised, network, model, step.name)
            values[step.name] = _constant_outputs(module, inputs, shapes, normalised)
    return values


def _all_connections(
    graph: NetworkGraph, model: nn.Module, parameters: Mapping[str, torch.Tensor]
) -> ConnectedNetwork:
    """Return the connections of the masked network, dead channels included."""
    values = {name: value.detach() for name, value in model.named_parameters()}
    values |= dict(parameters)
    inputs_per_channel = {}
    for group in graph.groups[1:]:
        for consumer in group.consumers:
            inputs_per_channel[consumer.name] = consumer.inputs_per_channel
    layers = {}
    for name, module in prunable(model).items():
        weight = values.pop(f"{name}.weight").numpy()
        layers[name] = _connections(weight, module, inputs_per_channel.get(name, 1))
    values.pop("input", None)
    vectors = {name: value.numpy().copy() for name, value in values.items()}
    return ConnectedNetwork(layers, vectors)


def _connections(
    weight: np.ndarray, module: nn.Conv2d | nn.Linear, inputs_per_channel: int
) -> Connections:
    nonzero = weight != 0
    if inputs_per_channel > 1 or weight.ndim > 2:
        inputs = weight.shape[1] // inputs_per_channel
        nonzero = nonzero.reshape(len(weight), inputs, -1).sum(2)
    if isinstance(module, nn.Linear):
        return Connections(weight, nonzero, inputs_per_channel)
    return Connections(weight, nonzero, inputs_per_channel, module.groups, is_padded(module))


def is_padded(layer: nn.Conv2d) -> bool:
    """Tell whether a convolution pads its input.

    Parameters
    ----------
    layer : nn.Conv2d
        The layer.

    Returns
    -------
    bool
        True if a constant input has another effect at the border than inside.
    """
    if isinstance(layer.padding, str):
        return layer.padding != "valid"
    return any(layer.padding)


def _disconnect_pixels(network: ConnectedNetwork, graph: NetworkGraph, removed: np.ndarray) -> None:
    """Remove weights that read removed pixels; no weight of a convolution reads a single pixel."""
    for name, layer in network.layers.items():
        if reads_pixels(graph, name):
            layer.nonzero[:, removed] = 0


def reads_pixels(graph: NetworkGraph, name: str) -> bool:
    """Tell whether a layer is linear and reads the flattened image itself.

    Parameters
    ----------
    graph : NetworkGraph
        Graph of the network.
    name : str
        A prunable layer.

    Returns
    -------
    bool
        True if each of its inputs is a pixel.
    """
    network = graph.network
    by_name = {step.name: step for step in network.steps}
    if name not in by_name or not isinstance(network.get_submodule(name), nn.Linear):
        return False
    source = by_name[name].inputs[0]
    while source != IMAGE:
        if not isinstance(network.get_submodule(source), (nn.Flatten, *IDENTITIES)):
            return False
        source = by_name[source].inputs[0]
    return True


def _constant_outputs(
    module: nn.Module,
    inputs: list[np.ndarray],
    shapes: list[tuple[int, ...]],
    normalised: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Compute the constant outputs of a module that has no weights; NaN where there is none."""
    if isinstance(module, NORMS):
        return normalised(inputs[0])
    if isinstance(module, ACTIVATIONS):
        return module(torch.from_numpy(inputs[0].copy())).numpy()
    if isinstance(module, nn.Flatten):
        return np.repeat(inputs[0], math.prod(shapes[0][1:]))
    if isinstance(module, Add):
        return inputs[0] + inputs[1]
    if isinstance(module, Multiply):
        is_zero = (inputs[0] == 0) | (inputs[1] == 0)
        return np.where(is_zero, 0.0, inputs[0] * inputs[1])
    if isinstance(module, Concatenate):
        return np.concatenate(inputs)
    if isinstance(module, SliceChannels):
        return inputs[0][module.start : module.stop]
    if isinstance(module, SelectChannels):
        return inputs[0][module.indices.numpy()]
    if isinstance(module, MaskPixels):
        return np.where(inputs[0] == 0, 0.0, np.nan)
    if isinstance(module, nn.AvgPool2d):
        is_plain = module.padding in (0, (0, 0)) and module.divisor_override is None
        if not is_plain:  # zeros are averaged at the border, or the sum is divided otherwise
            return np.where(inputs[0] == 0, 0.0, np.nan)
    if isinstance(module, nn.GroupNorm):
        return np.full_like(inputs[0], np.nan)
    return inputs[0]  # other poolings, and modules that return their input


def _normalised(
    network: ConnectedNetwork, model: nn.Module, norm: str, values: np.ndarray
) -> np.ndarray:
    """Apply a batch norm in eval mode to one value per channel."""
    eps = cast(nn.BatchNorm2d, model.get_submodule(norm)).eps
    deviation = np.sqrt(model.get_buffer(f"{norm}.running_var").numpy() + eps)
    centred = (values - model.get_buffer(f"{norm}.running_mean").numpy()) / deviation
    scale = network.vectors.get(f"{norm}.weight")
    if scale is None:
        return centred
    scaled = np.where(scale == 0, 0.0, centred * scale)  # also of channels that are not constant
    return scaled + network.vectors[f"{norm}.bias"]
