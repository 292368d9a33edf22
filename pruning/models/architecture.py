"""Architectures as JSON: the steps of a network, without any code and without its weights."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from pruning.models.blocks import (
    Add,
    Concatenate,
    MaskPixels,
    Multiply,
    SelectChannels,
    SliceChannels,
)
from pruning.models.graph import UnsupportedNetworkError, check_input, first_line
from pruning.models.graph_network import IMAGE, GraphNetwork, Step, is_reserved, macs_of

FORMAT = "prunescope network 1"
MAX_SIZE = 100_000
"""Largest number of channels, features, or pixels of a kernel or stride."""
MAX_NAME = 200
MAX_PARTS = 20
"""Parts of a name, with dots between them."""


@dataclass(frozen=True)
class Limits:
    """What a network may have.

    Parameters
    ----------
    parameters : int
        Parameters and buffers.
    activations : int
        Values that all steps together compute for one image.
    macs : int
        Multiply-accumulates for one image, and as many operations of other steps; VGG-16 at 224
        pixels has 15.5 billion.
    steps : int
        Operations.
    inputs : int
        Inputs of one operation.
    """

    parameters: int
    activations: int
    macs: int
    steps: int = 2_000
    inputs: int = 1_000


LIMITS = Limits(parameters=50_000_000, activations=50_000_000, macs=20_000_000_000)
SHARED_LIMITS = Limits(
    parameters=16_000_000, activations=2_500_000, macs=1_000_000_000, steps=400, inputs=64
)
"""On a server with many visitors."""

_NUMBERS = ("eps", "negative_slope", "alpha", "min_val", "max_val", "beta", "threshold", "p")
"""Settings that are numbers, not sizes."""
_PAIRS = ("kernel_size", "stride", "padding", "dilation", "output_size")
"""Settings that can be of height and width."""
_CONVOLUTION = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation")
_POOLING = ("kernel_size", "stride", "padding")


@dataclass(frozen=True)
class Kind:
    """A kind of module that an architecture may have.

    Parameters
    ----------
    module : type
        Its class.
    settings : tuple of str
        Arguments of the class, which are attributes of its instances.
    inputs : int or None
        Number of inputs; None for two or more.
    """

    module: type[nn.Module]
    settings: tuple[str, ...] = ()
    inputs: int | None = 1


_KINDS = (
    Kind(nn.Conv2d, (*_CONVOLUTION, "groups", "bias")),
    Kind(nn.Linear, ("in_features", "out_features", "bias")),
    Kind(nn.BatchNorm1d, ("num_features", "eps", "affine")),
    Kind(nn.BatchNorm2d, ("num_features", "eps", "affine")),
    Kind(nn.GroupNorm, ("num_groups", "num_channels", "eps", "affine")),
    Kind(nn.MaxPool2d, (*_POOLING, "dilation", "ceil_mode")),
    Kind(nn.AvgPool2d, (*_POOLING, "ceil_mode", "count_include_pad", "divisor_override")),
    Kind(nn.AdaptiveAvgPool2d, ("output_size",)),
    Kind(nn.AdaptiveMaxPool2d, ("output_size",)),
    Kind(nn.LeakyReLU, ("negative_slope",)),
    Kind(nn.ELU, ("alpha",)),
    Kind(nn.GELU, ("approximate",)),
    Kind(nn.Hardtanh, ("min_val", "max_val")),
    Kind(nn.Softplus, ("beta", "threshold")),
    Kind(nn.Dropout, ("p",)),
    Kind(nn.Dropout2d, ("p",)),
    *map(Kind, (nn.ReLU, nn.ReLU6, nn.SiLU, nn.Hardswish, nn.Hardsigmoid, nn.Sigmoid)),
    *map(Kind, (nn.Tanh, nn.Mish, nn.Flatten, nn.Identity)),
    Kind(Add, inputs=2),
    Kind(Multiply, inputs=2),
    Kind(Concatenate, inputs=None),
    Kind(SliceChannels, ("start", "stop")),
    Kind(SelectChannels, ("indices",)),
    Kind(MaskPixels, ("shape",)),
)
KINDS = {kind.module.__name__: kind for kind in _KINDS}
"""Every kind of module that an architecture may have, by name."""


def architecture_to_dict(network: GraphNetwork) -> dict[str, Any]:
    """Convert the architecture of a network to JSON values.

    Parameters
    ----------
    network : GraphNetwork
        Any network.

    Returns
    -------
    dict
        ``format``, ``shape`` of an image, and ``steps`` with ``name``, ``kind``, ``inputs`` and
        ``settings``.
    """
    steps = []
    for step in network.steps:
        module = network.get_submodule(step.name)
        settings = {}
        for setting in KINDS[type(module).__name__].settings:
            settings[setting] = _json_value(module, setting)
        steps.append(
            {
                "name": step.name,
                "kind": type(module).__name__,
                "inputs": list(step.inputs),
                "settings": settings,
            }
        )
    return {"format": FORMAT, "shape": list(network.shape), "steps": steps}


def _json_value(module: nn.Module, setting: str) -> Any:
    if isinstance(module, MaskPixels):
        return list(module.mask.shape)
    value = getattr(module, setting)
    if setting == "bias":
        return value is not None
    if isinstance(value, torch.Tensor):
        return value.tolist()
    return list(value) if isinstance(value, tuple) else value


def architecture_from_dict(content: object, limits: Limits = LIMITS) -> GraphNetwork:
    """Build a network from JSON values, which may come from anybody.

    Nothing is allocated before all sizes are known and below the limits.

    Parameters
    ----------
    content : object
        What was read, as of `architecture_to_dict`.
    limits : Limits
        What it may have.

    Returns
    -------
    GraphNetwork
        In eval mode, with the initial weights of PyTorch.

    Raises
    ------
    UnsupportedNetworkError
        If it is no such architecture, or exceeds a limit; the message says what and where.
    """
    planned, parsed = _planned(content, limits)
    network = _network(parsed, planned.shape, "cpu")
    modules = {step.name: network.get_submodule(step.name) for step in network.steps}
    return GraphNetwork(modules, planned.steps, planned.shape).eval()


def planned_architecture(content: object, limits: Limits = LIMITS) -> GraphNetwork:
    """Check JSON values, and return the network without memory for its parameters.

    Parameters
    ----------
    content, limits
        As of `architecture_from_dict`.

    Returns
    -------
    GraphNetwork
        On the meta device: its parameters have shapes and no values.

    Raises
    ------
    UnsupportedNetworkError
        See `architecture_from_dict`.
    """
    return _planned(content, limits)[0]


def _planned(content: object, limits: Limits) -> "tuple[GraphNetwork, list[_ParsedStep]]":
    fields = _object(content, "an architecture", ("format", "shape", "steps"))
    if fields["format"] != FORMAT:
        raise UnsupportedNetworkError(f'the format of an architecture is "{FORMAT}"')
    shape = _shape(fields["shape"])
    steps = fields["steps"]
    if not isinstance(steps, list) or not 1 <= len(steps) <= limits.steps:
        raise UnsupportedNetworkError(f"steps is a list of 1 to {limits.steps:,} operations")
    known = {IMAGE}
    containers: set[str] = set()
    parsed = []
    for number, step in enumerate(steps, start=1):
        parsed.append(_parsed(step, number, known, containers, limits))
        known.add(parsed[-1].name)
        containers.update(_containers(parsed[-1].name))
    # On the meta device modules have shapes and no memory.
    network = _network(parsed, shape, "meta")
    _check_size(network, limits)
    modules = {step.name: network.get_submodule(step.name) for step in network.steps}
    return GraphNetwork(modules, _with_shapes(network, limits), shape).eval(), parsed


@dataclass(frozen=True)
class _ParsedStep:
    name: str
    kind: Kind
    inputs: tuple[str, ...]
    settings: Mapping[str, Any]


def _containers(name: str) -> list[str]:
    """Return the parts of the network that a step is in."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _parsed(
    content: object, number: int, known: set[str], containers: set[str], limits: Limits
) -> _ParsedStep:
    place = f"step {number}"
    fields = _object(content, place, ("name", "kind", "inputs", "settings"))
    name, kind_name, inputs = fields["name"], fields["kind"], fields["inputs"]
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME or not _is_path(name):
        raise UnsupportedNetworkError(
            f"the name of {place} must be letters, digits and _, with dots between its parts"
        )
    # A part of the network cannot be a step, too.
    if is_reserved(name) or name in known | containers or known & set(_containers(name)):
        raise UnsupportedNetworkError(f"{place}: the name {name!r} is taken")
    if not isinstance(kind_name, str) or kind_name not in KINDS:
        raise UnsupportedNetworkError(
            f"{name}: unknown kind {str(kind_name)[:40]!r}: choose from {', '.join(KINDS)}"
        )
    kind = KINDS[kind_name]
    if not isinstance(inputs, list) or not all(isinstance(each, str) for each in inputs):
        raise UnsupportedNetworkError(f"{name}: inputs is a list of names of earlier steps")
    if len(inputs) > limits.inputs:
        raise UnsupportedNetworkError(f"{name}: an operation has at most {limits.inputs} inputs")
    for each in inputs:
        if each not in known:
            raise UnsupportedNetworkError(
                f"{name}: there is no earlier step {each[:40]!r}; {IMAGE!r} is the image"
            )
    if len(inputs) != kind.inputs and not (kind.inputs is None and len(inputs) > 1):
        wanted = "two or more inputs" if kind.inputs is None else f"{kind.inputs} input(s)"
        raise UnsupportedNetworkError(f"{name}: {kind_name} has {wanted}, not {len(inputs)}")
    settings = _object(fields["settings"], f"settings of {name}", kind.settings)
    for setting, value in settings.items():
        _check_setting(name, setting, value)
    return _ParsedStep(name, kind, tuple(inputs), settings)


def _object(content: object, place: str, fields: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(content, Mapping) or set(content) != set(fields):
        names = ", ".join(fields) or "no fields"
        raise UnsupportedNetworkError(f"{place} is an object with {names}")
    return content


def _is_path(name: str) -> bool:
    parts = name.split(".")
    return len(parts) <= MAX_PARTS and all(part.isidentifier() or part.isalnum() for part in parts)


def _shape(value: object) -> tuple[int, int, int]:
    if not isinstance(value, list) or len(value) != 3 or not all(map(_is_size, value)):
        raise UnsupportedNetworkError("shape is [channels, height, width] of an image")
    channels, height, width = value
    return channels, height, width


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_SIZE


def _check_setting(name: str, setting: str, value: object) -> None:
    """Check that a value is a number, a pair of numbers, a truth value or a word of PyTorch."""
    if setting == "indices":
        is_valid = isinstance(value, list) and len(value) <= MAX_SIZE and all(map(_is_index, value))
    elif setting == "shape":
        is_valid = isinstance(value, list) and len(value) == 3 and all(map(_is_size, value))
    elif setting == "approximate":
        is_valid = value in ("none", "tanh")
    elif setting in ("bias", "affine", "ceil_mode", "count_include_pad"):
        is_valid = isinstance(value, bool)
    elif setting == "divisor_override":
        is_valid = value is None or _is_size(value)
    elif setting in _NUMBERS:
        is_valid = _is_number(value)
    else:
        is_whole = _is_index if setting in ("padding", "start", "stop") else _is_size
        if isinstance(value, list):
            is_valid = (
                setting in _PAIRS and len(value) == 2 and is_whole(value[0]) and is_whole(value[1])
            )
        else:
            is_valid = is_whole(value)
    if not is_valid:
        raise UnsupportedNetworkError(
            f"{name}: {setting} cannot be {_shown(value)} (numbers are at most {MAX_SIZE:,})"
        )


def _shown(value: object) -> str:
    """Quote a value; a whole number of thousands of digits has no text."""
    if isinstance(value, int) and abs(value) > MAX_SIZE:
        return "so large a number"
    try:
        return repr(str(value)[:40])
    except ValueError:
        return "this"


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -MAX_SIZE <= value <= MAX_SIZE


def _is_index(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_SIZE


def _network(parsed: Sequence[_ParsedStep], shape: tuple[int, ...], device: str) -> GraphNetwork:
    modules, steps = {}, []
    for step in parsed:
        modules[step.name] = _module(step, device)
        steps.append(Step(step.name, step.inputs, ()))
    return GraphNetwork(modules, steps, shape).eval()


def _module(step: _ParsedStep, device: str) -> nn.Module:
    settings = {}
    for name, value in step.settings.items():
        settings[name] = tuple(value) if isinstance(value, list) else value
    if step.kind.module is MaskPixels:
        return MaskPixels(torch.ones(settings["shape"], device=device))
    if step.kind.module is SelectChannels:
        return SelectChannels(torch.tensor(settings["indices"], dtype=torch.int64))
    try:
        with torch.device(device):
            return step.kind.module(**settings)
    except (TypeError, ValueError, RuntimeError, ArithmeticError, AssertionError) as error:
        raise UnsupportedNetworkError(f"{step.name}: {first_line(error)}") from error


def _check_size(planned: GraphNetwork, limits: Limits) -> None:
    tensors = [*planned.parameters(), *planned.buffers()]
    parameters = sum(tensor.numel() for tensor in tensors)
    if parameters > limits.parameters:
        raise UnsupportedNetworkError(
            f"the network has {parameters:,} parameters, more than {limits.parameters:,}"
        )


def _with_shapes(planned: GraphNetwork, limits: Limits) -> list[Step]:
    """Find the shape of every step without computing, and check their sizes."""
    results = {IMAGE: torch.empty(2, *planned.shape, device="meta")}
    steps = []
    total, macs = 0, 0
    for step in planned.steps:
        module = planned.get_submodule(step.name)
        inputs = [results[name] for name in step.inputs]
        shapes = [tuple(value.shape[1:]) for value in inputs]
        check_input(step.name, module, shapes[0])
        _check_operands(step.name, module, shapes)
        try:
            results[step.name] = module(*inputs)
        except (RuntimeError, ValueError, IndexError, TypeError, ArithmeticError) as error:
            raise UnsupportedNetworkError(f"{step.name}: {first_line(error)}") from error
        total += results[step.name].numel() // 2
        macs += _work_of(module, shapes[0], tuple(results[step.name].shape[1:]))
        if macs > limits.macs:
            raise UnsupportedNetworkError(
                f"{step.name}: the network has more than {limits.macs:,} multiply-accumulates"
            )
        if total > limits.activations:
            raise UnsupportedNetworkError(
                f"{step.name}: the network computes more than {limits.activations:,} values for an "
                "image: use smaller images or fewer channels"
            )
        steps.append(Step(step.name, step.inputs, tuple(results[step.name].shape[1:])))
    if results[planned.steps[-1].name].ndim != 2:
        raise UnsupportedNetworkError("the last step must give logits (N, classes): add a Flatten")
    return steps


def _work_of(module: nn.Module, before: tuple[int, ...], after: tuple[int, ...]) -> int:
    """Multiply-accumulates, or the values that another operation reads, for one image."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        return macs_of(module, after)
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        kernel = module.kernel_size
        height, width = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        return height * width * math.prod(after)
    return max(math.prod(before), math.prod(after))


def _check_operands(name: str, module: nn.Module, shapes: list[tuple[int, ...]]) -> None:
    """Refuse operands that PyTorch would broadcast over channels."""
    is_equal = len(set(shapes)) == 1
    if isinstance(module, Add) and not is_equal:
        raise UnsupportedNetworkError(f"{name} adds tensors of different shapes")
    if isinstance(module, Multiply) and len({(len(each), each[0]) for each in shapes}) != 1:
        raise UnsupportedNetworkError(f"{name} multiplies tensors of different channels")
