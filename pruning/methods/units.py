"""Methods: what can be removed.

A method lists its units group by group and maps removed units to masks of parameters.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from pruning.models import prunable
from pruning.models.blocks import ResidualBlock
from pruning.models.channel_groups import ChannelGroup, channel_groups
from pruning.runtime.registry import Registry, register


@dataclass(frozen=True)
class UnitGroup:
    """Units that are ranked together, such as the weights of a layer.

    Attributes
    ----------
    name : str
        Name of the group: that of its first layer, ``layers`` or ``input``.
    shape : tuple of int
        Arrangement of the units; they are numbered in C order.
    layers : tuple of str
        Prunable layers that the units belong to.
    norms, activations : tuple of str
        Batch norms and ReLUs after these layers.
    names : tuple of str
        Names of the units, empty where they are numbered only.
    members : tuple of tuple of str
        Layers or residual blocks that each named unit consists of, in network order.
    min_kept : int
        Number of units that always remain.
    rows : mapping of str to torch.Tensor
        (units, k) channels that each unit is in a layer, batch norm or activation function; where a
        name is missing, unit i is channel i.
    """

    name: str
    shape: tuple[int, ...]
    layers: tuple[str, ...] = ()
    norms: tuple[str, ...] = ()
    activations: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    members: tuple[tuple[str, ...], ...] = ()
    min_kept: int = 0
    rows: Mapping[str, torch.Tensor] = field(default_factory=dict, compare=False)

    @property
    def measured_at(self) -> tuple[str, ...]:
        """Modules whose outputs are the activations of the units."""
        return self.activations or self.norms or self.layers

    def by_unit(self, name: str, values: torch.Tensor, dim: int = 0) -> torch.Tensor:
        """Arrange the channels of a module by unit.

        Parameters
        ----------
        name : str
            Name of a layer, a batch norm or an activation function of the group.
        values : torch.Tensor
            A parameter, or with ``dim=1`` an output of the module.
        dim : int
            Dimension of the channels, 0 or 1.

        Returns
        -------
        torch.Tensor
            (units, values of a unit), or with ``dim=1`` (images, units, values of a unit).
        """
        rows = self.rows.get(name)
        if rows is not None:
            values = values.index_select(dim, rows.flatten())
        return values.reshape(*values.shape[:dim], self.units, -1)

    @property
    def units(self) -> int:
        """Number of units, removed ones included."""
        return math.prod(self.shape)

    def label(self, unit: int) -> str:
        """Return the label of a unit.

        Parameters
        ----------
        unit : int
            Index of the unit.

        Returns
        -------
        str
            Its name, or its index where units have no names.
        """
        return self.names[unit] if self.names else str(unit)


GroupsFunction = Callable[[nn.Module, int, int, str], list[UnitGroup]]
MasksFunction = Callable[[nn.Module, UnitGroup, torch.Tensor], dict[str, torch.Tensor]]
SurvivingFunction = Callable[[nn.Module, UnitGroup, Mapping[str, torch.Tensor]], torch.Tensor]


@dataclass(frozen=True)
class Method:
    """A kind of unit that can be removed.

    Attributes
    ----------
    name : str
        Key in ``METHODS``.
    function : callable
        ``function(model, channels, size, grouping)`` returns the list of groups in network order,
        for images of ``channels`` x ``size`` x ``size``.
    masks_for : callable
        ``masks_for(model, group, removed)`` maps (units,) bool to {parameter name: mask}, bool in
        the shape of the parameter, True = kept.
    surviving_units : callable
        ``surviving_units(model, group, masks)`` returns which units the masks have not removed,
        (units,) bool. A unit is removed when all its parameters are.
    label, unit, help : str
        Label, name of one unit, and help text.
    colour : str
        Colour in figures, "#rrggbb", which no other method has (Okabe-Ito).
    groupings : mapping of str to str
        Ways to combine units, the default first, with their descriptions.
    grouping_label : str
        What a choice among the groupings is about.
    grouping_units : mapping of str to str
        Names of one unit in the groupings in which it is not ``unit``.
    default_is_unnamed : bool
        Whether JSON leaves the default grouping empty: for methods whose other groupings were
        added later, so that keys of stored results stay the same.
    competing_groups : bool
        Whether there are several groups, whose units can compete with each other.
    has_weights : bool
        Whether removing units removes weights. Units without weights are pixels of the image.
    units_are_weights : bool
        Whether each unit is a single weight, so that groups have the shapes of weights.
    usual_scope : str
        Scope that the literature usually chooses for the method.
    needs_data : bool
        Whether removal itself uses calibration images.
    groups_by_network : bool
        Whether the groupings differ depends on the network.
    groups_by_channels : bool
        Whether the groupings differ only for images of several channels.
    """

    name: str
    function: GroupsFunction
    masks_for: MasksFunction
    surviving_units: SurvivingFunction
    label: str
    unit: str
    help: str
    colour: str
    groupings: Mapping[str, str] = field(default_factory=dict)
    grouping_label: str = "Grouping"
    grouping_units: Mapping[str, str] = field(default_factory=dict)
    default_is_unnamed: bool = False
    competing_groups: bool = True
    has_weights: bool = True
    units_are_weights: bool = False
    usual_scope: str = "global"
    needs_data: bool = False
    groups_by_network: bool = False
    groups_by_channels: bool = False

    def unit_in(self, grouping: str) -> str:
        """Return the name of one unit.

        Parameters
        ----------
        grouping : str
            Key of ``groupings``, or ``""``.

        Returns
        -------
        str
            Such as "layer" or "subnetwork".
        """
        return self.grouping_units.get(grouping, self.unit)


METHODS: Registry[Method] = Registry("method")


def method(name: str, **info: Any) -> Callable[[GroupsFunction], GroupsFunction]:
    """Register the decorated function as a method.

    Parameters
    ----------
    name : str
        Key in ``METHODS``.
    **info
        Further fields of `Method`.

    Returns
    -------
    callable
        Decorator that returns the function unchanged.
    """
    return register(METHODS, Method, name, **info)


# ------------------------------------------------------------------------------------- weights


def _weight_masks(
    model: nn.Module, group: UnitGroup, removed: torch.Tensor
) -> dict[str, torch.Tensor]:
    return {f"{group.name}.weight": ~removed.view(group.shape)}


def _surviving_weights(
    model: nn.Module, group: UnitGroup, masks: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    return masks.get(f"{group.name}.weight", _all_units(group)).flatten()


@method(
    "weight",
    masks_for=_weight_masks,
    surviving_units=_surviving_weights,
    label="Weights",
    unit="weight",
    colour="#0072B2",
    units_are_weights=True,
    help="Single weights of convolution and linear layers are set to zero (unstructured pruning).",
)
def weight(model: nn.Module, channels: int, size: int, grouping: str) -> list[UnitGroup]:
    """Return one group for the weights of each prunable layer."""
    return [
        UnitGroup(name, tuple(model.get_parameter(f"{name}.weight").shape), (name,))
        for name in prunable(model)
    ]


# ---------------------------------------------------------------------------- neurons and filters


def _channel_masks(
    model: nn.Module, group: UnitGroup, removed: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Mask the bias and the batch norm, too: they would leave a nonzero output."""
    masks = {}
    for name in (*group.layers, *group.norms):
        rows = group.rows.get(name)
        for key, value in model.get_submodule(name).named_parameters():
            kept = ~removed
            if rows is not None:
                kept = torch.ones(len(value), dtype=torch.bool)
                kept[rows[removed].flatten()] = False
            masks[f"{name}.{key}"] = expand_rows(kept, value.shape)
    return masks


def _surviving_channels(
    model: nn.Module, group: UnitGroup, masks: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    surviving = []
    for name in (*group.layers, *group.norms):
        for key, _ in model.get_submodule(name).named_parameters():
            mask = masks.get(f"{name}.{key}")
            if mask is None:
                return _all_units(group)
            surviving.append(group.by_unit(name, mask).any(1))
    return torch.stack(surviving).any(0)


CHANNEL_GROUPINGS = {
    "inside": "only inside residual blocks",
    "across": "also across the additions, tied channels as one unit",
}


# Neurons and filters are the same units, output channels; they differ in the criteria that apply:
# neurons are scored by their activations, filters also by their weights.
@method(
    "neuron",
    masks_for=_channel_masks,
    surviving_units=_surviving_channels,
    label="Neurons",
    unit="neuron",
    colour="#009E73",
    groupings=CHANNEL_GROUPINGS,
    grouping_label="Additions",
    usual_scope="layer",
    groups_by_network=True,
    help="Hidden outputs of a layer, scored by their activations on calibration images; a channel "
    "of a convolution is one neuron. Weight, bias and batch norm of the neuron are removed.",
)
@method(
    "filter",
    masks_for=_channel_masks,
    surviving_units=_surviving_channels,
    label="Filters",
    unit="filter",
    colour="#CC79A7",
    groupings=CHANNEL_GROUPINGS,
    grouping_label="Additions",
    usual_scope="layer",
    groups_by_network=True,
    help="Output channels of convolutions and of hidden linear layers, with weight, bias and "
    "batch norm (structured pruning).",
)
def output_channels(model: nn.Module, channels: int, size: int, grouping: str) -> list[UnitGroup]:
    """Return one group for the hidden channels of each layer, or of layers that additions tie.

    Tied channels are left out with the grouping ``inside``.
    """
    groups = []
    for group in channel_groups(model, channels, size):
        if group.can_be_removed and (grouping == "across" or not group.has_addition):
            groups.append(_unit_group(group))
    return groups


def _unit_group(group: ChannelGroup) -> UnitGroup:
    rows = {}
    for name, places in group.rows.items():
        if name not in group.unchanged:
            rows[name] = torch.from_numpy(places)
    return UnitGroup(
        name=group.producers[0],
        shape=(group.channels,),
        layers=(*group.producers, *group.depthwise),
        norms=tuple(group.norms),
        activations=tuple(group.activations),
        min_kept=1,
        rows=rows,
    )


# -------------------------------------------------------------------------------------- layers


def _layer_masks(
    model: nn.Module, group: UnitGroup, removed: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Mask the residual branches of the blocks of a unit.

    Plain layers have no shortcut: `refit.remove_layers` removes them instead.
    """
    masks = {}
    for name in members_of(group, removed):
        if is_block(model, name):
            for key, value in model.get_submodule(name).named_parameters():
                masks[f"{name}.{key}"] = torch.zeros(value.shape, dtype=torch.bool)
    return masks


def _surviving_layers(
    model: nn.Module, group: UnitGroup, masks: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    surviving = []
    for unit in range(group.units):
        parameters = [f"{layer}.weight" for layer in layers_of(model, group, unit)]
        surviving.append(any(key not in masks or bool(masks[key].any()) for key in parameters))
    return torch.tensor(surviving)


@method(
    "layer",
    masks_for=_layer_masks,
    surviving_units=_surviving_layers,
    needs_data=True,
    label="Layers",
    unit="layer",
    colour="#D55E00",
    groupings={
        "single": "single layers or residual blocks",
        "subnetwork": "subnetworks: consecutive layers or blocks as one unit",
    },
    grouping_label="Units",
    grouping_units={"subnetwork": "subnetwork"},
    default_is_unnamed=True,
    groups_by_network=True,
    competing_groups=False,
    help="Whole layers: residual blocks with an identity shortcut; in the LeNets a hidden linear "
    "layer or the second convolution, after which the next layer is refitted by least squares on "
    "the calibration images. A subnetwork is a longest run of such layers or blocks without "
    "another layer between them: in a ResNet the blocks of a stage, in the LeNets all of them.",
)
def layer(model: nn.Module, channels: int, size: int, grouping: str) -> list[UnitGroup]:
    """Return the group of all removable layers or subnetworks; no group where there are none."""
    names = _removable_blocks(model) if _has_blocks(model) else _removable_plain_layers(model)
    if not names:
        return []
    members = _runs(model, names) if grouping == "subnetwork" else [(name,) for name in names]
    layers: list[str] = []
    for name in names:
        layers += layers_in(model, name)
    group = UnitGroup(
        name="layers",
        shape=(len(members),),
        layers=tuple(layers),
        names=tuple(_name_of_run(run) for run in members),
        members=tuple(members),
    )
    return [group]


def _has_blocks(model: nn.Module) -> bool:
    return any(isinstance(module, ResidualBlock) for module in model.modules())


def _removable_blocks(model: nn.Module) -> list[str]:
    """Blocks with an identity shortcut."""
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, ResidualBlock) and isinstance(module.shortcut, nn.Identity)
    ]


def _removable_plain_layers(model: nn.Module) -> list[str]:
    """All but the classifier and a convolution that reads the image, in a chain of layers."""
    if not isinstance(model, nn.Sequential):
        return []
    names = list(prunable(model))[:-1]
    if names and isinstance(model.get_submodule(names[0]), nn.Conv2d):
        return names[1:]
    return names


def _runs(model: nn.Module, names: list[str]) -> list[tuple[str, ...]]:
    """Join layers or blocks, in network order, that no other prunable layer separates."""
    positions = {layer: position for position, layer in enumerate(prunable(model))}
    runs: list[tuple[str, ...]] = []
    end_of_run = None
    for name in names:
        layers = layers_in(model, name)
        if positions[layers[0]] == end_of_run:
            runs[-1] = (*runs[-1], name)
        else:
            runs.append((name,))
        end_of_run = positions[layers[-1]] + 1
    return runs


def _name_of_run(run: tuple[str, ...]) -> str:
    return run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}"


# --------------------------------------------------------------------------------- input pixels


def _pixel_masks(
    model: nn.Module, group: UnitGroup, removed: torch.Tensor
) -> dict[str, torch.Tensor]:
    return {"input": ~removed.view(group.shape)}


def _surviving_pixels(
    model: nn.Module, group: UnitGroup, masks: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    mask = masks.get("input")  # (channels or 1, size, size)
    if mask is None:
        return _all_units(group)
    if group.shape[0] == 1:
        return mask.any(0).flatten()
    return mask.expand(group.shape).flatten()


@method(
    "feature",
    masks_for=_pixel_masks,
    surviving_units=_surviving_pixels,
    label="Input pixels",
    unit="pixel",
    colour="#56B4E9",
    groupings={"position": "all channels of a position", "channel": "each channel by itself"},
    grouping_label="Channels",
    groups_by_channels=True,
    competing_groups=False,
    has_weights=False,
    help="Pixels of the image are replaced by the mean of the training images (zero for the "
    "network). No weight is removed.",
)
def feature(model: nn.Module, channels: int, size: int, grouping: str) -> list[UnitGroup]:
    """Return the group of all pixels, in shape (channels or 1, size, size)."""
    unit_channels = channels if grouping == "channel" else 1
    return [UnitGroup("input", (unit_channels, size, size), min_kept=1)]


# ------------------------------------------------------------------------------------- look-ups


def is_block(model: nn.Module, name: str) -> bool:
    """Tell whether a module is a residual block.

    Parameters
    ----------
    model : nn.Module
        Network.
    name : str
        Name of the module.

    Returns
    -------
    bool
        True for a `ResidualBlock`.
    """
    return isinstance(model.get_submodule(name), ResidualBlock)


def layers_in(model: nn.Module, name: str) -> list[str]:
    """List the prunable layers of a layer or a residual block.

    Parameters
    ----------
    model : nn.Module
        Network.
    name : str
        Name of a plain layer or a residual block.

    Returns
    -------
    list of str
        The layer itself, or the layers of the block.
    """
    return [layer for layer in prunable(model) if layer == name or layer.startswith(f"{name}.")]


def layers_of(model: nn.Module, group: UnitGroup, unit: int) -> list[str]:
    """List the prunable layers of a unit of the method ``layer``.

    Parameters
    ----------
    model : nn.Module
        Network.
    group : UnitGroup
        Group of the network whose units have members.
    unit : int
        Index of the unit.

    Returns
    -------
    list of str
        The layers of all its members, in network order.
    """
    layers: list[str] = []
    for name in group.members[unit]:
        layers += layers_in(model, name)
    return layers


def members_of(group: UnitGroup, chosen: torch.Tensor) -> list[str]:
    """List the layers and blocks that some units consist of.

    Parameters
    ----------
    group : UnitGroup
        Any group.
    chosen : torch.Tensor
        (units,) bool.

    Returns
    -------
    list of str
        In network order; empty if the units of the group have no members.
    """
    if not group.members:
        return []
    members: list[str] = []
    for unit in chosen.nonzero().flatten().tolist():
        members += group.members[unit]
    return members


def groups(
    model: nn.Module, method: str, grouping: str, channels: int, size: int
) -> dict[str, UnitGroup]:
    """Return the groups of a network.

    Parameters
    ----------
    model : nn.Module
        Network, not modified.
    method, grouping : str
        Name of the method and of one of its groupings.
    channels, size : int
        Channels and height (= width) of the images.

    Returns
    -------
    dict of str to UnitGroup
        Groups by name, in network order.
    """
    unit_groups = METHODS[method].function(model, channels, size, grouping)
    return {group.name: group for group in unit_groups}


def expand_rows(rows: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Expand a value for each output unit to the shape of a parameter.

    Parameters
    ----------
    rows : torch.Tensor
        (outputs,).
    shape : torch.Size
        Shape of the parameter, (outputs, ...).

    Returns
    -------
    torch.Tensor
        View in this shape.
    """
    return rows.view(-1, *[1] * (len(shape) - 1)).expand(shape)


def _all_units(group: UnitGroup) -> torch.Tensor:
    return torch.ones(group.units, dtype=torch.bool)
