"""What of a masked network still makes a difference to its logits: connected units, and the weights between them.

A mask on single weights may leave a unit that nothing reaches or that nobody reads; a mask on units leaves the weights
that read them. Neither can change a logit. (ConnectedNetwork sparsity, Vysogorets and Kempe 2023.)
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from pruning.models import prunable
from pruning.models.channel_groups import ChannelGroup, channel_groups


@dataclass(eq=False)
class Connections:
    """A prunable layer as connections of units: ``nonzero`` (outputs, inputs), whole or bool, of weights that make a difference between
    them, where an input is a channel, or a pixel for a first linear layer. ``spread``: weights per input, side by side."""

    weight: np.ndarray
    nonzero: np.ndarray
    spread: int


@dataclass(eq=False)
class ConnectedNetwork:
    """``vectors`` holds the biases and batch norms, with zeros for what makes no difference and with the constant_outputs that
    biases took over: {parameter name: values}; ``layers`` the connections of every prunable layer."""

    layers: dict[str, Connections]
    vectors: dict[str, np.ndarray]

    @property
    def parameters(self) -> int:
        return sum(int(c.nonzero.sum()) for c in self.layers.values()) + sum(
            int(np.count_nonzero(v)) for v in self.vectors.values()
        )

    def weights(self, name: str) -> int:
        """How many weights of a layer make a difference."""
        return int(self.layers[name].nonzero.sum())

    def mask(self, name: str) -> np.ndarray:
        """Which weights of a layer make a difference, (its shape) bool."""
        layer = self.layers[name]
        linked = (
            layer.nonzero > 0
        )  # a link is cut as a whole, so all its weights are there, or none
        if layer.weight.ndim == 2:
            return (layer.weight != 0) & linked.repeat(layer.spread, axis=1)
        return (layer.weight != 0) & linked[:, :, None, None]


def connected_network(
    model: nn.Module, parameters: Mapping[str, torch.Tensor], channels: int, size: int
) -> ConnectedNetwork:
    """Follow what is said and read through the network until nothing more goes.

    Gone are: channels that nobody reads; channels that say nothing (no weights, and zero behind the ReLU); channels that
    always say the same, where every reader's bias can take it over; and all weights that write or read them.

    Parameters
    ----------
    model : in eval mode, not modified
    parameters : masked parameters by name, and the images' mask ``input``, as of `Masks.apply`
    channels, size : of the images
    """
    whole = {name: value.detach() for name, value in model.named_parameters()} | dict(parameters)
    first, *hidden = channel_groups(model, channels, size)
    spreads = {name: spread for space in hidden for name, spread in space.consumers}
    layers = {
        name: _connections(whole[f"{name}.weight"].numpy(), spreads.get(name, 1))
        for name in prunable(model)
    }
    weights = {f"{name}.weight" for name in layers}
    found = ConnectedNetwork(
        layers,
        {
            name: value.numpy().copy()
            for name, value in whole.items()
            if name not in (*weights, "input")
        },
    )
    if "input" in parameters:
        pixels = parameters["input"].bool().expand(channels, size, size).flatten().numpy()
        for name, _ in first.consumers:
            if layers[name].weight.ndim == 2:
                layers[name].nonzero[:, ~pixels] = 0
    between = [space for space in hidden if space.producers and space.consumers]
    while any([_freed(found, model, space) for space in between]):
        pass  # what one layer loses may leave another without a reader
    return found


def _connections(weight: np.ndarray, spread: int) -> Connections:
    there = weight != 0
    if spread > 1 or weight.ndim > 2:
        return Connections(
            weight, there.reshape(len(weight), weight.shape[1] // spread, -1).sum(2), spread
        )
    return Connections(weight, there, spread)


def _freed(found: ConnectedNetwork, model: nn.Module, space: ChannelGroup) -> bool:
    """GroupSelection what makes no difference; whether anything changed."""
    writers, readers = (
        [found.layers[name] for name in space.producers],
        [found.layers[name] for name, _ in space.consumers],
    )
    read = np.any([reader.nonzero.any(0) for reader in readers], 0)
    changed = _silenced(found, space, ~read)
    written = np.any([writer.nonzero.any(1) for writer in writers], 0)
    if not written.all():
        values = constant_outputs(found, model, space)
        if (same := ~written & read & (values != 0)).any() and _takes_over(model, space):
            for (name, _), reader in zip(space.consumers, readers):
                per_channel = np.where(
                    reader.nonzero > 0, reader.weight.reshape(*reader.nonzero.shape, -1).sum(2), 0
                )
                found.vectors[f"{name}.bias"] += per_channel[:, same] @ values[same]
            changed |= _silenced(found, space, same)
            values = np.where(same, 0, values)
        says = written | (values != 0)
        for reader in readers:
            changed |= bool(reader.nonzero[:, ~says].any())
            reader.nonzero[:, ~says] = 0
    return changed


def _silenced(found: ConnectedNetwork, space: ChannelGroup, gone: np.ndarray) -> bool:
    if not gone.any():
        return False
    changed = False
    for values in (
        *(found.layers[name].nonzero for name in space.producers),
        *(
            found.vectors[key]
            for name in (*space.producers, *space.norms)
            for key in (f"{name}.weight", f"{name}.bias")
            if key in found.vectors
        ),
    ):
        changed |= bool(values[gone].any())
        values[gone] = 0
    return changed


def constant_outputs(found: ConnectedNetwork, model: nn.Module, space: ChannelGroup) -> np.ndarray:
    """What channels without any weight say, behind their ReLU if they have one, (channels,); tied ones say nothing only
    if none does. Those with weights get a value, too; it means nothing."""
    total = np.zeros(space.channels)
    norms = dict(zip(space.producers, space.norms)) if space.norms else {}
    for name in space.producers:
        value = found.vectors.get(f"{name}.bias", np.zeros(space.channels))
        if name in norms:
            norm = model.get_submodule(norms[name])
            deviation = np.sqrt(norm.running_var.numpy() + norm.eps)
            value = (value - norm.running_mean.numpy()) / deviation * found.vectors[
                f"{norms[name]}.weight"
            ] + found.vectors[f"{norms[name]}.bias"]
        total = total + (
            np.abs(value)
            if space.has_addition
            else np.maximum(value, 0)
            if space.activations
            else value
        )
    return total


def _takes_over(model: nn.Module, space: ChannelGroup) -> bool:
    """Whether a constant input adds the same at every output position: not where zeros are padded around it."""
    readers = [model.get_submodule(name) for name, _ in space.consumers]
    return not space.has_addition and all(
        reader.bias is not None and (isinstance(reader, nn.Linear) or not any(reader.padding))
        for reader in readers
    )
