"""Channels that must be removed together, found from the graph of any network.

Every channel of every tensor has a number, and each operation has one rule: a layer begins new
channels, an addition ties those of its operands, a concatenation lists them one after another.
Channels that are tied, directly or by others, are one unit.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import singledispatchmethod

import numpy as np
from torch import nn

from pruning.models.blocks import (
    Add,
    Concatenate,
    MaskPixels,
    Multiply,
    SelectChannels,
    SliceChannels,
)
from pruning.models.graph import ACTIVATIONS, IDENTITIES, NORMS, POOLINGS, translate
from pruning.models.graph_network import IMAGE, GraphNetwork


@dataclass(frozen=True, eq=False)
class Consumer:
    """A layer that reads the channels of a group.

    Attributes
    ----------
    name : str
        Name of the convolution or linear layer.
    inputs_per_channel : int
        Number of adjacent inputs of the layer for one channel: more than one after a flatten.
    channels : np.ndarray
        (units, k) input channels of the layer that each unit of the group is.
    """

    name: str
    inputs_per_channel: int
    channels: np.ndarray


@dataclass(eq=False)
class ChannelGroup:
    """Units of channels with all layers that produce, normalise, rectify and consume them.

    Attributes
    ----------
    channels : int
        Number of units. A unit is one channel of each layer, or several of a grouped convolution.
    producers : list of str
        Convolutions and linear layers whose outputs are these channels.
    depthwise : list of str
        Depthwise convolutions, whose outputs are the channels that they read.
    norms, activations : list of str
        Batch norms and activation functions that are applied to the channels.
    consumers : list of Consumer
        Convolutions and linear layers that read the channels.
    rows : dict of str to np.ndarray
        (units, k) output channels of each producer, depthwise convolution, norm and activation
        function.
    unchanged : set of str
        Those modules whose channel i is unit i, and which have no other channels.
    has_addition : bool
        Whether an addition takes part: its operands share their channels.
    is_fixed : bool
        Whether the channels cannot be removed, because an operation reads all of them at once or
        cannot be masked.
    numbers : np.ndarray
        (units, k) numbers of the channels of each unit.
    """

    channels: int
    producers: list[str] = field(default_factory=list)
    depthwise: list[str] = field(default_factory=list)
    norms: list[str] = field(default_factory=list)
    activations: list[str] = field(default_factory=list)
    consumers: list[Consumer] = field(default_factory=list)
    rows: dict[str, np.ndarray] = field(default_factory=dict)
    unchanged: set[str] = field(default_factory=set)
    has_addition: bool = False
    is_fixed: bool = False
    numbers: np.ndarray = field(default_factory=lambda: np.empty((0, 0), np.int64))

    @property
    def can_be_removed(self) -> bool:
        """Whether the channels are hidden ones that can be removed."""
        return bool(self.producers and self.consumers) and not self.is_fixed


GRAPH = "_prunescope_graph"
"""Attribute of a model with its graph."""


@dataclass(frozen=True, eq=False)
class NetworkGraph:
    """The graph of a network and its channel groups.

    Attributes
    ----------
    network : GraphNetwork
        The network as steps. Its parameters are those of the first model that was translated: use
        only the kinds and the settings of its modules.
    groups : list of ChannelGroup
        The group of the image's channels first, the others in the order in which they are first
        produced.
    inputs : dict of str to list of np.ndarray
        Numbers of the features of each input of a module, (features,), by the module's name.
    outputs : dict of str to np.ndarray
        Numbers of the features of the output of each module.
    count : int
        Number of channels of all tensors.
    """

    network: GraphNetwork
    groups: list[ChannelGroup]
    inputs: dict[str, list[np.ndarray]]
    outputs: dict[str, np.ndarray]
    count: int

    def __deepcopy__(self, memo: dict) -> "NetworkGraph":
        """Return the graph itself: a copy of a model has the same one."""
        return self

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        """Leave the graph out of a pickled model: it has parameters of another model."""
        return type(None), ()


def network_graph(model: nn.Module, channels: int, size: int) -> NetworkGraph:
    """Return the graph of a network, which copies of the network share.

    Parameters
    ----------
    model : nn.Module
        Not modified.
    channels, size : int
        Channels and height (= width) of the images.

    Returns
    -------
    NetworkGraph
        Stored as an attribute of the model.

    Raises
    ------
    UnsupportedNetworkError
        If there is no rule for an operation.
    """
    shape = (channels, size, size)
    graph = getattr(model, GRAPH, None)
    if graph is None or graph.network.shape != shape:
        network = model if isinstance(model, GraphNetwork) else translate(model, shape)
        graph = find_groups(network)
        setattr(model, GRAPH, graph)
    return graph


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
    UnsupportedNetworkError
        If there is no rule for an operation.
    """
    return network_graph(model, channels, size).groups


def find_groups(network: GraphNetwork) -> NetworkGraph:
    """Find the channel groups of a translated network.

    Parameters
    ----------
    network : GraphNetwork
        Any network.

    Returns
    -------
    NetworkGraph
        The network and its groups.
    """
    tracker = _ChannelTracker()
    inputs_of: dict[str, list[np.ndarray]] = {}
    outputs_of: dict[str, np.ndarray] = {}
    tensors = {IMAGE: tracker.image(network.shape[0])}
    for step in network.steps:
        inputs = [tensors[name] for name in step.inputs]
        positions = math.prod(network.input_shapes(step)[0][1:])
        module = network.get_submodule(step.name)
        tensors[step.name] = tracker.visit(module, step.name, inputs, positions)
        inputs_of[step.name] = [each.features for each in inputs]
        outputs_of[step.name] = tensors[step.name].features
    tracker.fix(tensors[network.steps[-1].name].units)
    return NetworkGraph(network, tracker.groups(), inputs_of, outputs_of, tracker.count)


@dataclass(frozen=True, eq=False)
class _Channels:
    """The channels of a tensor: their numbers, (channels,), and how the tensor holds them.

    After a flatten each channel is ``positions`` adjacent features. A tensor that is not negative
    is rectified: a further ReLU has no effect.
    """

    units: np.ndarray
    positions: int = 1
    is_rectified: bool = False

    @property
    def features(self) -> np.ndarray:
        """The number of each feature, (channels * positions,)."""
        return np.repeat(self.units, self.positions)


@dataclass(frozen=True, eq=False)
class _Use:
    """A module that has a row, or reads a channel, for each of these numbers, (n,)."""

    role: str
    name: str
    units: np.ndarray
    positions: int = 1


class _ChannelTracker:
    """Numbers the channels of all tensors, operation by operation."""

    def __init__(self) -> None:
        self.count = 0
        self._uses: list[_Use] = []
        self._ties: list[tuple[np.ndarray, np.ndarray]] = []
        self._added: list[np.ndarray] = []
        self._fixed: list[np.ndarray] = []

    def image(self, channels: int) -> _Channels:
        """Number the channels of the image."""
        self._image = self._new(channels)
        self.fix(self._image)
        return _Channels(self._image)

    def fix(self, units: np.ndarray) -> None:
        """Exclude channels from removal."""
        self._fixed.append(units)

    @singledispatchmethod
    def visit(
        self, module: nn.Module, name: str, inputs: list[_Channels], positions: int
    ) -> _Channels:
        """Return the channels of the output of a module, and record what it does to them."""
        if isinstance(module, NORMS):
            return self._norm(module, name, inputs[0])
        if isinstance(module, nn.ReLU):
            return self._relu(name, inputs[0])
        if isinstance(module, ACTIVATIONS):
            self._use("activation", name, inputs[0].units)
            return replace(inputs[0], is_rectified=False)
        if isinstance(module, (*POOLINGS, *IDENTITIES, MaskPixels)):
            return inputs[0]
        raise TypeError(f"there is no rule for the effect of {type(module).__name__} on channels")

    @visit.register
    def _linear(self, module: nn.Linear, name: str, inputs: list, positions: int) -> _Channels:
        [source] = inputs
        self._use("consumer", name, source.units, source.positions)
        return self._produced(name, module.out_features)

    @visit.register
    def _conv(self, module: nn.Conv2d, name: str, inputs: list, positions: int) -> _Channels:
        [source] = inputs
        if module.groups == 1:
            self._use("consumer", name, source.units)
            return self._produced(name, module.out_channels)
        if module.groups == module.in_channels:
            copies = module.out_channels // module.in_channels
            outputs = np.repeat(source.units, copies)
            self._use("depthwise", name, outputs)
            return _Channels(outputs)
        # Every part of a grouped convolution keeps as many channels as the others.
        self._tie_parts(source.units, module.groups)
        self._use("consumer", name, source.units)
        produced = self._produced(name, module.out_channels)
        self._tie_parts(produced.units, module.groups)
        return produced

    @visit.register
    def _flatten(self, module: nn.Flatten, name: str, inputs: list, positions: int) -> _Channels:
        [source] = inputs
        return replace(source, positions=source.positions * positions)

    @visit.register
    def _group_norm(
        self, module: nn.GroupNorm, name: str, inputs: list, positions: int
    ) -> _Channels:
        # The mean over a channel group changes when one of its channels is removed.
        self.fix(inputs[0].units)
        return replace(inputs[0], is_rectified=False)

    @visit.register
    def _add(self, module: Add, name: str, inputs: list, positions: int) -> _Channels:
        tied = self._tied(*inputs)
        self._added.append(tied.units)
        return tied

    @visit.register
    def _multiply(self, module: Multiply, name: str, inputs: list, positions: int) -> _Channels:
        return self._tied(*inputs)

    @visit.register
    def _concatenate(
        self, module: Concatenate, name: str, inputs: list, positions: int
    ) -> _Channels:
        is_rectified = all(source.is_rectified for source in inputs)
        if len({source.positions for source in inputs}) == 1:
            units = np.concatenate([source.units for source in inputs])
            return _Channels(units, inputs[0].positions, is_rectified)
        features = np.concatenate([source.features for source in inputs])
        return _Channels(features, 1, is_rectified)

    @visit.register
    def _slice(self, module: SliceChannels, name: str, inputs: list, positions: int) -> _Channels:
        [source] = inputs
        part = source.features[module.start : module.stop]
        return _Channels(part, 1, source.is_rectified)

    @visit.register
    def _select(self, module: SelectChannels, name: str, inputs: list, positions: int) -> _Channels:
        [source] = inputs
        chosen = source.features[module.indices.numpy()]
        return _Channels(chosen, 1, source.is_rectified)

    def _tied(self, a: _Channels, b: _Channels) -> _Channels:
        """Tie the channels of two tensors of the same shape."""
        if a.positions == b.positions:
            self._ties.append((a.units, b.units))
            return _Channels(a.units, a.positions)
        self._ties.append((a.features, b.features))
        return _Channels(a.features)

    def _norm(self, module: nn.Module, name: str, source: _Channels) -> _Channels:
        units = source.features
        self._use("norm", name, units)
        if not module.affine:
            self.fix(units)  # there is no shift that a mask could set to zero
        return replace(source, is_rectified=False)

    def _relu(self, name: str, source: _Channels) -> _Channels:
        if not source.is_rectified:
            self._use("activation", name, source.units)
        return replace(source, is_rectified=True)

    def _produced(self, name: str, channels: int) -> _Channels:
        units = self._new(channels)
        self._use("producer", name, units)
        return _Channels(units)

    def _use(self, role: str, name: str, units: np.ndarray, positions: int = 1) -> None:
        self._uses.append(_Use(role, name, units, positions))

    def _tie_parts(self, units: np.ndarray, parts: int) -> None:
        """Tie the channels at the same place of all parts."""
        by_part = units.reshape(parts, -1)
        for part in by_part[1:]:
            self._ties.append((by_part[0], part))

    def _new(self, channels: int) -> np.ndarray:
        first = self.count
        self.count += channels
        return np.arange(first, self.count)

    def groups(self) -> list[ChannelGroup]:
        """Join tied channels to units, and units that the same modules use to groups."""
        unit_of = self._tied_units()
        uses_of_unit: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for index, use in enumerate(self._uses):
            units, counts = np.unique(unit_of[use.units], return_counts=True)
            for unit, count in zip(units.tolist(), counts.tolist(), strict=True):
                uses_of_unit[unit].append((index, count))
        units_of_group: dict[tuple[tuple[int, int], ...], list[int]] = defaultdict(list)
        image = set(unit_of[self._image].tolist())
        for unit in np.unique(unit_of).tolist():
            if unit not in image:
                units_of_group[tuple(uses_of_unit[unit])].append(unit)
        groups = [self._group(sorted(image), unit_of)]
        for members in sorted(units_of_group.values(), key=lambda members: members[0]):
            groups.append(self._group(members, unit_of))
        return groups

    def _tied_units(self) -> np.ndarray:
        """Return the unit of each channel: the lowest number of those that are tied to it."""
        numbers = np.arange(self.count)
        if not self._ties:
            return numbers
        # Imported here because it takes a sixth of the time of PyTorch, and many commands do
        # without it.
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        rows = np.concatenate([a for a, _ in self._ties])
        columns = np.concatenate([b for _, b in self._ties])
        ties = coo_array((np.ones(len(rows)), (rows, columns)), (self.count, self.count))
        _, component = connected_components(ties, directed=False)
        _, first = np.unique(component, return_index=True)
        return first[component]

    def _group(self, units: list[int], unit_of: np.ndarray) -> ChannelGroup:
        group = ChannelGroup(len(units))
        places_of_numbers = _places(unit_of, units)
        assert places_of_numbers is not None  # each unit is the number of one of its channels
        group.numbers = places_of_numbers
        names = {
            "producer": group.producers,
            "depthwise": group.depthwise,
            "norm": group.norms,
            "activation": group.activations,
        }
        for use in self._uses:
            places = _places(unit_of[use.units], units)
            if places is None:
                continue
            if use.role == "consumer":
                group.consumers.append(Consumer(use.name, use.positions, places))
                continue
            names[use.role].append(use.name)
            group.rows[use.name] = places
            if np.array_equal(places[:, 0], np.arange(len(use.units))):
                group.unchanged.add(use.name)
        group.has_addition = _any_in(units, self._added, unit_of)
        group.is_fixed = _any_in(units, self._fixed, unit_of)
        return group


def _places(units_of_use: np.ndarray, units: list[int]) -> np.ndarray | None:
    """Return where each unit is among those of a module, (units, k); None if it is not there."""
    order = np.argsort(units_of_use, kind="stable")
    ordered = units_of_use[order]
    starts = np.searchsorted(ordered, units, side="left")
    stops = np.searchsorted(ordered, units, side="right")
    count = int(stops[0] - starts[0])
    if count == 0 or not (stops - starts == count).all():  # of the image, some may not be read
        return None
    return order[starts[:, None] + np.arange(count)]


def _any_in(units: list[int], channels: Iterable[np.ndarray], unit_of: np.ndarray) -> bool:
    """Tell whether any of the channels belongs to one of the units."""
    wanted = set(units)
    return any(not wanted.isdisjoint(unit_of[each].tolist()) for each in channels)
