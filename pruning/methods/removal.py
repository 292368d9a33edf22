"""Physical removal: a smaller network that computes the same as the masked one."""

import copy
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from pruning.methods.connectivity import (
    ConnectedNetwork,
    channels_read,
    connected_network,
    propagate_constants,
    reads_pixels,
)
from pruning.models import prunable
from pruning.models.blocks import Add, MaskPixels, SelectChannels, SliceChannels
from pruning.models.channel_groups import GRAPH, NetworkGraph, network_graph
from pruning.models.graph import IDENTITIES, NORMS
from pruning.models.graph_network import IMAGE, GraphNetwork, Step, without_unread_steps

Norm = nn.BatchNorm1d | nn.BatchNorm2d
PIXELS = "pixels"
"""Name of the step that masks or selects pixels."""


def remove(
    model: nn.Module, parameters: Mapping[str, torch.Tensor], channels: int, size: int
) -> GraphNetwork:
    """Build the smaller network.

    Removed are all dead channels (see `connectivity.connected_network`), with the weights of
    every layer that produces, normalises or reads them; residual branches whose output is zero;
    and inputs of a first linear layer that are masked or not read. At least one channel of each
    layer remains. The same rules apply to every network that `graph.translate` accepts.

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
    GraphNetwork
        Network in eval mode that returns the logits of the masked network, up to rounding.

    Raises
    ------
    UnsupportedNetworkError
        If there is no rule for an operation.
    """
    graph = network_graph(model, channels, size)
    network = connected_network(model, parameters, channels, size)
    modules = _masked_modules(graph, model, network)
    zero_steps = _zero_steps(network, graph, model)
    kept = _kept_channels(network, graph)
    steps = []
    for step in graph.network.steps:
        features = kept[graph.outputs[step.name]]
        _resize(modules[step.name], step.name, kept, graph)
        steps.append(replace(step, shape=(int(features.sum()), *step.shape[1:])))
    pixels = parameters.get("input", torch.ones(1, 1, 1)).bool().expand(channels, size, size)
    steps = _without_idle_steps(steps, modules, zero_steps)
    steps = _with_pixels(steps, modules, network, graph, pixels)
    return GraphNetwork(modules, steps, graph.network.shape).eval()


def _masked_modules(
    graph: NetworkGraph, model: nn.Module, network: ConnectedNetwork
) -> dict[str, nn.Module]:
    """Return a copy of the module of each step, with the effective parameters."""
    copied = copy.deepcopy(graph.network)
    copied.__dict__.pop(GRAPH, None)
    copied.to(next(model.parameters()).dtype)
    copied.load_state_dict(model.state_dict(), strict=False)
    for name, layer in network.layers.items():
        parameter = copied.get_parameter(f"{name}.weight")
        weight = torch.from_numpy(np.where(network.mask(name), layer.weight, 0))
        parameter.data = weight.contiguous(memory_format=_memory_format(parameter))
    for name, values in network.vectors.items():
        copied.get_parameter(name).data = torch.from_numpy(values)
    return {step.name: copied.get_submodule(step.name) for step in copied.steps}


def _zero_steps(network: ConnectedNetwork, graph: NetworkGraph, model: nn.Module) -> set[str]:
    """Name the steps whose result is always zero."""
    values = propagate_constants(network, graph, model)
    return {name for name, constants in values.items() if (constants == 0).all()}


def _kept_channels(network: ConnectedNetwork, graph: NetworkGraph) -> np.ndarray:
    """Return which channels of all tensors remain, by their number."""
    kept = np.ones(graph.count, bool)
    for group in graph.groups:
        if group.can_be_removed:
            read = channels_read(network, group)
            read[0] |= not read.any()  # the first unit remains where none would
            kept[group.numbers[~read]] = False
    return kept


def _memory_format(weight: torch.Tensor) -> torch.memory_format:
    """Return the memory format of a weight: fast convolutions need channels last."""
    if weight.ndim == 4 and weight.is_contiguous(memory_format=torch.channels_last):
        return torch.channels_last
    return torch.contiguous_format


def _resize(module: nn.Module, name: str, kept: np.ndarray, graph: NetworkGraph) -> None:
    """Remove all other channels from the input and the output of a module."""
    inputs = torch.from_numpy(kept[graph.inputs[name][0]])
    outputs = torch.from_numpy(kept[graph.outputs[name]])
    if isinstance(module, nn.Linear):
        _replace_parameters(module, weight=module.weight[outputs][:, inputs], rows=outputs)
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, nn.Conv2d):
        _resize_convolution(module, inputs, outputs)
    elif isinstance(module, NORMS):
        _resize_norm(module, outputs)
    elif isinstance(module, SliceChannels):
        kept_before_start = int(inputs[: module.start].sum())
        kept_before_stop = int(inputs[: module.stop].sum())
        module.start, module.stop = kept_before_start, kept_before_stop
    elif isinstance(module, SelectChannels):
        new_index = inputs.cumsum(0) - 1
        module.indices = new_index[module.indices[outputs]]


def _resize_convolution(layer: nn.Conv2d, inputs: torch.Tensor, outputs: torch.Tensor) -> None:
    columns = inputs[: layer.in_channels // layer.groups]  # of the first part, as of all others
    if layer.groups == layer.in_channels:
        layer.groups = int(inputs.sum())
        columns = torch.ones(1, dtype=torch.bool)
    _replace_parameters(layer, weight=layer.weight[outputs][:, columns], rows=outputs)
    layer.out_channels, layer.in_channels = int(outputs.sum()), int(inputs.sum())


def _resize_norm(norm: Norm, kept: torch.Tensor) -> None:
    if norm.affine:
        _replace_parameters(norm, weight=norm.weight[kept], rows=kept)
    assert norm.running_mean is not None and norm.running_var is not None
    norm.running_mean = norm.running_mean[kept]
    norm.running_var = norm.running_var[kept]
    norm.num_features = int(kept.sum())


def _replace_parameters(
    layer: nn.Conv2d | nn.Linear | Norm, *, weight: torch.Tensor, rows: torch.Tensor
) -> None:
    """Set a new weight, and keep some elements of the bias."""
    weight = weight.detach().clone(memory_format=_memory_format(layer.weight))
    layer.weight = nn.Parameter(weight, requires_grad=False)
    if layer.bias is not None:
        layer.bias = nn.Parameter(layer.bias[rows].detach().clone(), requires_grad=False)


def _without_idle_steps(
    steps: list[Step], modules: Mapping[str, nn.Module], zero_steps: set[str]
) -> list[Step]:
    """Leave out modules that return their input, and branches that add zero."""
    source_of = {IMAGE: IMAGE}
    kept = []
    for step in steps:
        inputs = tuple(source_of[name] for name in step.inputs)
        module = modules[step.name]
        if isinstance(module, Add):
            others = [name for name in step.inputs if name not in zero_steps]
            inputs = tuple(source_of[name] for name in others or step.inputs[:1])
        if isinstance(module, IDENTITIES) or (isinstance(module, Add) and len(inputs) == 1):
            source_of[step.name] = inputs[0]
            continue
        source_of[step.name] = step.name
        kept.append(replace(step, inputs=inputs))
    result = source_of[steps[-1].name]
    last = [step.name for step in kept].index(result)
    return without_unread_steps(kept[: last + 1])


def _with_pixels(
    steps: list[Step],
    modules: dict[str, nn.Module],
    network: ConnectedNetwork,
    graph: NetworkGraph,
    pixels: torch.Tensor,
) -> list[Step]:
    """Remove the inputs of a first linear layer that are not read, or mask removed pixels."""
    readers = [name for name in network.layers if reads_pixels(graph, name)]
    image_steps = [step for step in graph.network.steps if IMAGE in step.inputs]
    if len(readers) == 1 and len(image_steps) == 1:
        first = modules[readers[0]]
        assert isinstance(first, nn.Linear)
        read = network.layers[readers[0]].inputs_read.copy()
        read[0] |= not read.any()
        if read.all():
            return steps
        columns = torch.from_numpy(read)
        all_rows = torch.ones(len(first.weight), dtype=torch.bool)
        _replace_parameters(first, weight=first.weight[:, columns], rows=all_rows)
        first.in_features = first.weight.shape[1]
        modules[PIXELS] = SelectChannels(columns.nonzero()[:, 0])
        return _inserted_before(steps, readers[0], (int(columns.sum()),))
    if pixels.all():
        return steps
    dtype = next(iter(prunable(graph.network).values())).weight.dtype
    modules[PIXELS] = MaskPixels(pixels.to(dtype))
    masked = [_reading(step, IMAGE, PIXELS) for step in steps]
    return [Step(PIXELS, (IMAGE,), tuple(pixels.shape)), *masked]


def _inserted_before(steps: list[Step], name: str, shape: tuple[int, ...]) -> list[Step]:
    """Insert the step of the pixels before another one, whose input it reads."""
    result = []
    for step in steps:
        if step.name == name:
            [source] = step.inputs
            result.append(Step(PIXELS, (source,), shape))
            step = _reading(step, source, PIXELS)
        result.append(step)
    return result


def _reading(step: Step, old: str, new: str) -> Step:
    """Return the step with another input."""
    inputs = tuple(new if name == old else name for name in step.inputs)
    return replace(step, inputs=inputs)
