"""Networks as graphs of modules: what any network of PyTorch is translated to.

Each step of a translated network has a module of its own, so that a module is named once for each
place where it is used; functions such as ``torch.relu`` and operators such as ``+`` become modules,
too. Parameters keep their names.
"""

import copy
import operator
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F

from pruning.models.blocks import (
    Add,
    Concatenate,
    MaskPixels,
    Multiply,
    SelectChannels,
    SliceChannels,
)
from pruning.models.graph_network import (
    IMAGE,
    GraphNetwork,
    Step,
    is_reserved,
    without_unread_steps,
)
from pruning.runtime.errors import PrunescopeError

ACTIVATIONS = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Hardsigmoid),
    *(nn.Sigmoid, nn.Tanh, nn.Hardtanh, nn.Softplus, nn.Mish),
)
"""Functions of one number, applied to every element."""
POOLINGS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
IDENTITIES = (nn.Identity, nn.Dropout, nn.Dropout2d)
"""Modules that return their input in eval mode."""
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
MODULES = (
    *(nn.Conv2d, nn.Linear, nn.Flatten, nn.GroupNorm),
    *NORMS,
    *ACTIVATIONS,
    *POOLINGS,
    *IDENTITIES,
    *(Add, Multiply, Concatenate, SliceChannels, SelectChannels, MaskPixels),
)
"""Every kind of module that a translated network consists of."""

_Root = nn.Module | Callable[..., Any]
Function = Callable[..., Any] | str
"""A function, or the name of a method of a tensor."""
RELATIVE_TOLERANCE = 1e-3
"""Largest difference of logits by another order of operations, relative to the largest logit."""
_Node = Any
"""A node of torch.fx: what its arguments can be is checked where they are used."""


class UnsupportedNetworkError(PrunescopeError):
    """A network has an operation that cannot be pruned; the message names it."""


@dataclass(frozen=True)
class _ModuleOf:
    """The module that does the same as a function.

    ``arguments`` are the names of the arguments after the first tensor, as the module has them.
    """

    kind: Callable[..., nn.Module]
    arguments: tuple[str, ...] = ()


_POOLING = ("kernel_size", "stride", "padding")
_MODULE_OF: dict[Function, _ModuleOf] = {
    F.relu6: _ModuleOf(nn.ReLU6),
    F.leaky_relu: _ModuleOf(nn.LeakyReLU, ("negative_slope",)),
    F.elu: _ModuleOf(nn.ELU, ("alpha",)),
    F.gelu: _ModuleOf(nn.GELU, ("approximate",)),
    F.silu: _ModuleOf(nn.SiLU),
    F.hardswish: _ModuleOf(nn.Hardswish),
    F.hardsigmoid: _ModuleOf(nn.Hardsigmoid),
    F.mish: _ModuleOf(nn.Mish),
    F.softplus: _ModuleOf(nn.Softplus, ("beta", "threshold")),
    F.hardtanh: _ModuleOf(nn.Hardtanh, ("min_val", "max_val")),
    F.max_pool2d: _ModuleOf(nn.MaxPool2d, (*_POOLING, "dilation", "ceil_mode", "return_indices")),
    F.avg_pool2d: _ModuleOf(
        nn.AvgPool2d, (*_POOLING, "ceil_mode", "count_include_pad", "divisor_override")
    ),
    F.adaptive_avg_pool2d: _ModuleOf(nn.AdaptiveAvgPool2d, ("output_size",)),
    F.adaptive_max_pool2d: _ModuleOf(nn.AdaptiveMaxPool2d, ("output_size",)),
    F.dropout: _ModuleOf(nn.Dropout, ("p",)),
    F.dropout2d: _ModuleOf(nn.Dropout2d, ("p",)),
}
for _function in (F.relu, torch.relu, torch.relu_, "relu", "relu_"):
    _MODULE_OF[_function] = _ModuleOf(nn.ReLU)
for _function in (F.sigmoid, torch.sigmoid, "sigmoid", "sigmoid_"):
    _MODULE_OF[_function] = _ModuleOf(nn.Sigmoid)
for _function in (F.tanh, torch.tanh, "tanh", "tanh_"):
    _MODULE_OF[_function] = _ModuleOf(nn.Tanh)

_IGNORED_ARGUMENTS = {"inplace", "training"}
_ADDITIONS: tuple[Function, ...] = (operator.add, operator.iadd, torch.add, "add", "add_")
_PRODUCTS: tuple[Function, ...] = (operator.mul, operator.imul, torch.mul, "mul", "mul_")
_CONCATENATIONS: tuple[Function, ...] = (torch.cat, torch.concat)
_PARTS: tuple[Function, ...] = (torch.chunk, torch.split, "chunk", "split")
_SHAPES: tuple[Function, ...] = (
    *(torch.flatten, torch.reshape, torch.squeeze),
    *("flatten", "view", "reshape", "squeeze", "unflatten"),
)
_TRANSPOSITIONS: tuple[Function, ...] = (torch.transpose, "transpose")
_COPIES: tuple[Function, ...] = ("contiguous", "clone", "detach", "float", "to")
_MEANS: tuple[Function, ...] = (torch.mean, "mean")


def translate(model: nn.Module, shape: tuple[int, ...]) -> GraphNetwork:
    """Translate a network to a list of steps; it shares the parameters.

    Parameters
    ----------
    model : nn.Module
        Any network whose ``forward`` takes one tensor and returns one; not modified.
    shape : tuple of int
        Shape of one image, (channels, height, width), or of one vector, (features,).

    Returns
    -------
    GraphNetwork
        The network in eval mode.

    Raises
    ------
    UnsupportedNetworkError
        If an operation has no translation, a layer is used twice, or the network does not accept
        images of this shape.
    """
    parameter = next(model.parameters(), None)
    if parameter is None:
        raise UnsupportedNetworkError("the network has no parameters")
    try:
        model = copy_sharing_parameters(model).eval()
    except RuntimeError as error:
        raise UnsupportedNetworkError(
            f"the network cannot be copied: {first_line(error)}"
        ) from error
    graph = _trace(model)
    generator = torch.Generator().manual_seed(0)
    example = torch.rand(2, *shape, generator=generator).to(parameter.dtype)
    values = _run(model, graph, example.clone())
    expected = next(values[node] for node in graph.nodes if node.op == "output")
    try:
        network = _Translation(model, graph, values).result(tuple(shape))
        with torch.no_grad():
            result = network(example)
    except (LookupError, TypeError, AttributeError, RuntimeError) as error:
        raise UnsupportedNetworkError(
            f"an operation of the network has an unusual form: {first_line(error)}"
        ) from error
    _check_same(result, expected)
    return network


def _check_same(result: torch.Tensor, expected: torch.Tensor) -> None:
    """Refuse a network that does more than its operations say."""
    scale = float(expected.abs().nan_to_num().max())
    tolerance = RELATIVE_TOLERANCE * max(scale, torch.finfo(expected.dtype).tiny)
    is_same = result.shape == expected.shape and torch.allclose(
        result, expected, rtol=0, atol=tolerance, equal_nan=True
    )
    if not is_same:
        raise UnsupportedNetworkError(
            "the operations of the network, one by one, give other logits than its forward: a "
            "tensor may be changed in place, be random, or have another type of numbers meanwhile"
        )


def copy_sharing_parameters(model: nn.Module) -> nn.Module:
    """Copy the modules of a network, but not its parameters and buffers.

    Parameters
    ----------
    model : nn.Module
        Not modified; the copy can have other attributes and hooks.

    Returns
    -------
    nn.Module
        The copy.
    """
    tensors = [*model.parameters(), *model.buffers()]
    # deepcopy returns what its memo holds for an identifier instead of copying the tensor.
    return copy.deepcopy(model, {id(tensor): tensor for tensor in tensors})


_TRACING = threading.Lock()


class _Tracer(fx.Tracer):
    """Traces every module that is not one of PyTorch or of `MODULES`, in one thread.

    While it traces, torch.fx replaces ``nn.Module.__call__`` and ``nn.Module.__getattr__`` for the
    whole process: here, calls in other threads do what they did before, and only one thread
    traces at a time.
    """

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def trace(self, root: _Root, concrete_args: dict[str, Any] | None = None) -> fx.Graph:
        """Trace a network in the thread that made the tracer."""
        with _TRACING:
            return super().trace(root, concrete_args)

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Record a call of this thread."""
        if threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        """Record that this thread reads a parameter."""
        if threading.get_ident() != self._thread:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        if type(m) in MODULES or _returns_input(m):
            return True
        return super().is_leaf_module(m, module_qualified_name)


def _returns_input(module: nn.Module) -> bool:
    """Tell whether a module of torchvision returns its input in eval mode."""
    return type(module).__name__ in ("StochasticDepth", "DropBlock2d")


def _trace(model: nn.Module) -> fx.Graph:
    try:
        return _Tracer().trace(model)
    except fx.proxy.TraceError as error:
        raise UnsupportedNetworkError(
            "the operations of the network depend on the values of its tensors, so that it has "
            "no fixed graph: write its forward without such conditions "
            f"({first_line(error)})"
        ) from error
    except Exception as error:  # the network's own code
        raise UnsupportedNetworkError(
            f"the network cannot be traced by torch.fx: {type(error).__name__}: {first_line(error)}"
        ) from error


class _Recorder(fx.Interpreter):
    """Runs a graph and keeps the value of each node."""

    def __init__(self, model: nn.Module, graph: fx.Graph):
        super().__init__(model, garbage_collect_values=False, graph=graph)
        self.values: dict[fx.Node, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        self.values[n] = super().run_node(n)
        return self.values[n]


def _run(model: nn.Module, graph: fx.Graph, example: torch.Tensor) -> dict[fx.Node, Any]:
    recorder = _Recorder(model, graph)
    shape = tuple(example.shape[1:])
    try:
        with torch.no_grad():
            result = recorder.run(example)
    except Exception as error:  # the network's own code
        raise UnsupportedNetworkError(
            f"the network does not accept images of shape {shape}: {first_line(error)}"
        ) from error
    if not isinstance(result, torch.Tensor) or result.ndim != 2:
        kind = tuple(result.shape) if isinstance(result, torch.Tensor) else type(result).__name__
        raise UnsupportedNetworkError(
            f"the network returns {kind}, not one tensor of logits (N, classes)"
        )
    return recorder.values


@dataclass(frozen=True)
class _Shuffle:
    """Channels in the middle of a shuffle: reshaped to groups, and transposed."""

    source: str
    groups: int
    is_transposed: bool = False


class _Translation:
    """Builds the steps from a graph of PyTorch."""

    def __init__(self, model: nn.Module, graph: fx.Graph, values: Mapping[fx.Node, Any]):
        self._model = model
        self._old = graph
        self._values = values
        self._modules: dict[str, nn.Module] = {}
        self._steps: list[Step] = []
        self._translated: dict[fx.Node, str | _Shuffle] = {}
        self._names = {name for name, _ in model.named_modules()}

    def result(self, shape: tuple[int, ...]) -> GraphNetwork:
        """Translate all nodes."""
        for node in self._old.nodes:
            self._translate(node)
        steps = without_unread_steps(self._steps)
        return GraphNetwork(self._modules, steps, shape).eval()

    def _translate(self, node: _Node) -> None:
        value = self._values.get(node)
        if node.op == "placeholder":
            self._placeholder(node)
        elif node.op == "output":
            self._output(node)
        elif node.op == "call_module":
            self._module(node)
        elif node.op == "get_attr":
            return  # refused where it is used
        elif isinstance(value, torch.Tensor):
            self._function(node)

    def _placeholder(self, node: _Node) -> None:
        if self._translated:
            if node.args:
                return  # has a default, which applies
            raise UnsupportedNetworkError("the network takes several tensors; only one is possible")
        self._translated[node] = IMAGE

    def _output(self, node: _Node) -> None:
        """Make the logits the result of the last step."""
        name = self._input(node, node.args[0])
        position = [step.name for step in self._steps].index(name)
        del self._steps[position + 1 :]

    def _module(self, node: _Node) -> None:
        name = str(node.target)
        module = self._model.get_submodule(name)
        if _returns_input(module):
            module = nn.Identity()
        if type(module) not in MODULES or node.kwargs:
            raise self._refused(node, f"{type(module).__name__}")
        if name in self._modules:
            if next(module.parameters(), None) is not None:
                raise UnsupportedNetworkError(
                    f"{name} is used twice: layers that share their weights cannot be pruned; "
                    "make a layer of its own for each use"
                )
            name = self._new_name(name)
            module = copy.deepcopy(module)
        _check_module(name, module)
        _simplify(name, module)
        check_input(name, module, tuple(self._values[node.args[0]].shape[1:]))
        inputs = [self._input(node, argument) for argument in node.args]
        self._add(node, name, module, *inputs)

    def _function(self, node: _Node) -> None:
        target: Function = node.target
        if target in _MODULE_OF:
            self._add_function(node, self._module_of(node))
        elif target in _ADDITIONS:
            self._binary(node, Add())
        elif target in _PRODUCTS:
            self._binary(node, Multiply())
        elif target in _CONCATENATIONS:
            self._concatenate(node)
        elif target is operator.getitem:
            self._part(node)
        elif target in _COPIES:
            source = self._translated.get(node.args[0])
            if not isinstance(source, _Shuffle):
                source = self._input(node, node.args[0])
            self._translated[node] = source
        elif target in _MEANS:
            self._mean(node)
        elif target in _SHAPES:
            self._reshape(node)
        elif target in _TRANSPOSITIONS:
            self._transpose(node)
        else:
            raise self._refused(node, _name_of(target))

    def _module_of(self, node: _Node) -> nn.Module:
        rule = _MODULE_OF[node.target]
        settings = dict(zip(rule.arguments, node.args[1:], strict=False))
        for name, value in node.kwargs.items():
            if name not in _IGNORED_ARGUMENTS:
                settings[name] = value
        module = rule.kind(**settings)
        _check_module(_name_of(node.target), module)
        return module

    def _binary(self, node: _Node, module: Add | Multiply) -> None:
        shapes = []
        for argument in node.args:
            value = self._values.get(argument) if isinstance(argument, fx.Node) else argument
            if not isinstance(value, torch.Tensor) or argument not in self._translated:
                raise self._refused(node, f"{_name_of(node.target)} with a number or a parameter")
            shapes.append(value.shape)
        same_channels = shapes[0][:2] == shapes[1][:2]
        if not same_channels or (isinstance(module, Add) and shapes[0] != shapes[1]):
            raise self._refused(node, f"{_name_of(node.target)} of tensors of different shapes")
        self._add_function(node, module)

    def _concatenate(self, node: _Node) -> None:
        tensors = node.args[0]
        dimension = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
        if dimension not in (1, 1 - self._values[node].ndim):
            raise self._refused(node, "a concatenation of another dimension than the channels")
        if not isinstance(tensors, list | tuple):
            raise self._refused(node, "a concatenation of all results of chunk or split")
        inputs = [self._input(node, tensor) for tensor in tensors]
        self._add(node, self._new_name(node.name), Concatenate(), *inputs)

    def _part(self, node: _Node) -> None:
        """Translate an element of the result of ``chunk`` or ``split``."""
        parts, index = node.args
        if parts.target not in _PARTS:
            raise self._refused(node, "an index")
        values = self._values[parts]
        whole = self._values[parts.args[0]]
        sizes = [value.shape[1] for value in values]
        if sum(sizes) != whole.shape[1]:
            raise self._refused(node, f"{_name_of(parts.target)} of another dimension")
        start = sum(sizes[:index])
        module = SliceChannels(start, start + sizes[index])
        source = self._input(node, parts.args[0])
        self._add(node, self._new_name(node.name), module, source)

    def _mean(self, node: _Node) -> None:
        source = self._values[node.args[0]]
        is_spatial = source.ndim == 4 and self._values[node].shape[:2] == source.shape[:2]
        if not is_spatial or self._values[node].numel() != source.shape[0] * source.shape[1]:
            raise self._refused(node, "a mean of other dimensions than height and width")
        pooled = self._insert(
            self._new_name(f"{node.name}_pool"),
            nn.AdaptiveAvgPool2d(1),
            (self._input(node, node.args[0]),),
            (source.shape[1], 1, 1),
        )
        if self._values[node].ndim == 2:
            self._add(node, self._new_name(node.name), nn.Flatten(), pooled)
        else:
            self._translated[node] = pooled

    def _reshape(self, node: _Node) -> None:
        source, result = self._values[node.args[0]], self._values[node]
        translated = self._translated.get(node.args[0])
        if isinstance(translated, _Shuffle):
            if not translated.is_transposed or result.ndim != 4:
                raise self._refused(node, _name_of(node.target))
            channels = torch.arange(result.shape[1])
            order = channels.view(translated.groups, -1).T.flatten()
            module = SelectChannels(order)
            self._add(node, self._new_name(node.name), module, translated.source)
        elif source.shape == result.shape:
            self._translated[node] = self._input(node, node.args[0])
        elif result.ndim == 2 and len(result) == len(source):
            self._add_function(node, nn.Flatten())
        elif result.ndim == 3 and source.shape == (*result.shape, 1):
            self._translated[node] = self._input(node, node.args[0])  # a first squeeze of two
        elif source.ndim == 4 and result.ndim == 5 and source.shape[2:] == result.shape[3:]:
            source_node = self._input(node, node.args[0])
            self._translated[node] = _Shuffle(source_node, result.shape[1])
        else:
            raise self._refused(
                node, f"{_name_of(node.target)} to a shape that is not (N, all features)"
            )

    def _transpose(self, node: _Node) -> None:
        source = self._translated.get(node.args[0])
        if not isinstance(source, _Shuffle) or sorted(node.args[1:]) != [1, 2]:
            raise self._refused(node, _name_of(node.target))
        self._translated[node] = _Shuffle(source.source, source.groups, is_transposed=True)

    def _add_function(self, node: _Node, module: nn.Module) -> None:
        """Add a module for a function of one or two tensors."""
        inputs = []
        for argument in node.args:
            is_node = isinstance(argument, fx.Node)
            if is_node and isinstance(self._values[argument], torch.Tensor):
                inputs.append(self._input(node, argument))
        self._add(node, self._new_name(node.name), module, *inputs)

    def _add(self, node: _Node, name: str, module: nn.Module, *inputs: str) -> None:
        shape = tuple(self._values[node].shape[1:])
        self._translated[node] = self._insert(name, module, inputs, shape)

    def _insert(
        self, name: str, module: nn.Module, inputs: tuple[str, ...], shape: tuple[int, ...]
    ) -> str:
        self._modules[name] = module
        self._steps.append(Step(name, inputs, shape))
        return name

    def _input(self, node: _Node, argument: Any) -> str:
        translated = self._translated.get(argument) if isinstance(argument, fx.Node) else None
        if not isinstance(translated, str):
            raise self._refused(node, f"{_name_of(node.target)} of a parameter or a number")
        return translated

    def _new_name(self, wish: str) -> str:
        """Return a name that no module of the network has."""
        number, name = 0, wish
        while name in self._modules or name in self._names:
            number += 1
            name = f"{wish}_{number}"
        return name

    def _refused(self, node: _Node, what: str) -> UnsupportedNetworkError:
        advice = _LOGITS if "softmax" in what.lower() else _ADVICE
        return UnsupportedNetworkError(f"{what}, in {_place_of(node)}, cannot be pruned: {advice}")


_LOGITS = "return the logits, without it; the loss function can apply it"
_ADVICE = (
    "use Conv2d, Linear, BatchNorm, GroupNorm, activation functions, pooling, Dropout, Flatten, "
    "+, *, torch.cat, chunk or split along the channels"
)


def _check_module(name: str, module: nn.Module) -> None:
    """Refuse settings with which a module does more than its kind says."""
    if is_reserved(name):
        raise UnsupportedNetworkError(f"the name {name!r} has another meaning: rename the module")
    if module._forward_hooks or module._forward_pre_hooks:
        raise UnsupportedNetworkError(
            f"{name} has hooks, which may change what it computes: remove them"
        )
    if isinstance(module, nn.Conv2d) and module.padding_mode != "zeros":
        raise UnsupportedNetworkError(
            f"{name} pads with {module.padding_mode!r}; only padding with zeros can be pruned"
        )
    if isinstance(module, nn.Flatten) and (module.start_dim, module.end_dim) != (1, -1):
        raise UnsupportedNetworkError(
            f"{name} flattens only some dimensions: use Flatten with its default settings"
        )
    if isinstance(module, nn.MaxPool2d) and module.return_indices:
        raise UnsupportedNetworkError(f"{name} returns indices, which cannot be pruned")
    if isinstance(module, NORMS) and module.running_mean is None:
        raise UnsupportedNetworkError(
            f"{name} has no running statistics: its output depends on the batch"
        )


def _simplify(name: str, module: Any) -> None:
    """Write padding as numbers, and results to tensors of their own: they are cached and shared."""
    if isinstance(module, nn.Conv2d) and isinstance(module.padding, str):
        module.padding = _symmetric_padding(name, module)
    if getattr(module, "inplace", False):
        module.inplace = False


_WIDTHS: dict[type[nn.Module], str] = {
    nn.Conv2d: "in_channels",
    nn.Linear: "in_features",
    nn.BatchNorm1d: "num_features",
    nn.BatchNorm2d: "num_features",
    nn.GroupNorm: "num_channels",
}
"""Settings that must be the number of channels of the input."""


def check_input(name: str, module: nn.Module, shape: tuple[int, ...]) -> None:
    """Refuse inputs that a module accepts, but not as channels.

    Parameters
    ----------
    name : str
        Name of the module.
    module : nn.Module
        The module.
    shape : tuple of int
        Shape of its first input, without the batch.

    Raises
    ------
    UnsupportedNetworkError
        If the rules for the module do not hold for such an input.
    """
    if isinstance(module, nn.Linear | nn.BatchNorm1d) and len(shape) != 1:
        raise UnsupportedNetworkError(
            f"{name} reads tensors of shape (N, {', '.join(map(str, shape))}): only (N, features) "
            "can be pruned; use a Flatten before it"
        )
    spatial = (nn.Conv2d, nn.BatchNorm2d, *POOLINGS)
    if isinstance(module, spatial) and len(shape) != 3:
        raise UnsupportedNetworkError(
            f"{name} reads tensors of shape (N, {', '.join(map(str, shape))}), not "
            "(N, channels, height, width)"
        )
    if isinstance(module, SelectChannels) and max(module.indices.tolist(), default=0) >= shape[0]:
        raise UnsupportedNetworkError(f"{name} selects a channel that its input does not have")
    setting = _WIDTHS.get(type(module))
    if setting is None:
        return
    expected = getattr(module, setting)
    if expected != shape[0]:
        raise UnsupportedNetworkError(
            f"{name}: {setting} is {expected}, but its input has {shape[0]} channels"
        )


def _symmetric_padding(name: str, layer: nn.Conv2d) -> tuple[int, int]:
    """Return the padding "same" or "valid" as numbers of pixels."""
    if layer.padding == "valid":
        return 0, 0
    totals = []
    for kernel, dilation in zip(layer.kernel_size, layer.dilation, strict=True):
        totals.append(dilation * (kernel - 1))
    if any(total % 2 for total in totals):
        raise UnsupportedNetworkError(
            f"{name} pads one side more than the other: use an odd kernel, or padding as a number"
        )
    return totals[0] // 2, totals[1] // 2


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, for a sentence.

    Parameters
    ----------
    error : Exception
        Any error.

    Returns
    -------
    str
        At most 300 characters; never empty.
    """
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def _name_of(target: Function) -> str:
    return target if isinstance(target, str) else getattr(target, "__name__", str(target))


def _place_of(node: _Node) -> str:
    """Name the innermost module whose forward has the operation."""
    scopes = list(node.meta.get("nn_module_stack", {}).values())
    name = scopes[-1][0] if scopes else ""
    return name or "the network's forward"
