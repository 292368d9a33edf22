"""Networks from ONNX files: a list of operations, each translated to a step; nothing is run."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from pruning.models.architecture import (
    FORMAT,
    LIMITS,
    Limits,
    architecture_from_dict,
)
from pruning.models.graph import UnsupportedNetworkError, first_line
from pruning.models.graph_network import IMAGE, GraphNetwork, is_reserved

MAX_BYTES = 250_000_000
MAX_CONSTANTS = 20_000

Attributes = Mapping[str, Any]
_ERRORS_OF_DAMAGED_FILES = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
"""What attributes and constants of another kind than expected raise."""


def network_from_onnx(content: bytes, limits: Limits = LIMITS) -> GraphNetwork:
    """Read a network from the bytes of an ONNX file, which may come from anybody.

    Parameters
    ----------
    content : bytes
        The file: one input (N, channels, height, width), one output (N, classes), operations of
        the default domain that `OPERATIONS` lists, all weights inside.
    limits : Limits
        What the network may have.

    Returns
    -------
    GraphNetwork
        In eval mode, with the weights of the file.

    Raises
    ------
    UnsupportedNetworkError
        If the file is not valid, or has something else; the message names the operation.
    """
    if len(content) > MAX_BYTES:
        raise UnsupportedNetworkError(f"the file is larger than {MAX_BYTES:,} bytes")
    graph = _parsed(content)
    try:
        reader = _Reader(graph, limits)
        architecture = reader.architecture()
    except _ERRORS_OF_DAMAGED_FILES as error:
        problem = first_line(error)
        raise UnsupportedNetworkError(f"the file has an unusual value: {problem}") from error
    network = architecture_from_dict(architecture, limits)
    try:
        network.load_state_dict(reader.state, strict=False)
    except RuntimeError as error:
        raise UnsupportedNetworkError("the weights do not have the shapes of the layers") from error
    missing = {name for name, _ in network.named_parameters()} - set(reader.state)
    if missing:
        raise UnsupportedNetworkError(f"the file has no value for {min(missing)}")
    return network


def _parsed(content: bytes) -> Any:
    """Parse the file, and refuse everything that is not a plain graph."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_from_string(content)
    except (DecodeError, ValueError, RuntimeError, TypeError) as error:
        raise UnsupportedNetworkError("it is not an ONNX file") from error
    graph = model.graph
    if model.functions:
        raise UnsupportedNetworkError("the file defines functions: only operations are possible")
    if graph.sparse_initializer:
        raise UnsupportedNetworkError("the file has sparse weights: store them dense")
    if not 1 <= len(graph.node) <= LIMITS.steps:
        raise UnsupportedNetworkError(
            f"the network has no operation, or more than {LIMITS.steps:,}"
        )
    if len(graph.initializer) > MAX_CONSTANTS:
        raise UnsupportedNetworkError(f"the file has more than {MAX_CONSTANTS:,} constants")
    elements = 0
    for tensor in graph.initializer:
        elements += _elements(tensor)
    if elements > LIMITS.parameters:
        raise UnsupportedNetworkError(
            f"the file has {elements:,} weights, more than {LIMITS.parameters:,}"
        )
    return graph


def _elements(tensor: Any) -> int:
    if any(size < 0 for size in tensor.dims):
        raise UnsupportedNetworkError("a weight has a negative size")
    return math.prod(tensor.dims)


@dataclass(frozen=True)
class _Node:
    """An operation of the file, with its attributes as Python values."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    output: str
    attributes: Attributes


@dataclass
class _Step:
    """A step of the architecture, and its tensors by the name of the parameter."""

    kind: str
    inputs: list[str]
    settings: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, np.ndarray] = field(default_factory=dict)


class _Reader:
    """Translates the nodes of a graph in order."""

    def __init__(self, graph: Any, limits: Limits):
        self._graph = graph
        self._limits = limits
        self._elements = 0
        self._constants = {each.name: _array(each) for each in graph.initializer}
        self._results: dict[str, str] = {}
        self._steps: list[dict[str, Any]] = []
        self._names: set[str] = set()
        self.state: dict[str, torch.Tensor] = {}

    def architecture(self) -> dict[str, Any]:
        """Translate all nodes to JSON values, as of `architecture_from_dict`."""
        shape = self._image_shape()
        for number, proto in enumerate(self._graph.node):
            node = _node(proto, number)
            if node.kind == "Constant":
                self._constants[node.output] = _constant(node)
            elif node.kind not in OPERATIONS:
                raise UnsupportedNetworkError(
                    f"the operation {node.kind[:40]} ({node.name}) cannot be pruned: possible are "
                    f"{', '.join(OPERATIONS)}"
                )
            else:
                OPERATIONS[node.kind](self, node)
        self._check_output()
        return {"format": FORMAT, "shape": shape, "steps": self._steps}

    def _image_shape(self) -> list[int]:
        images = [each for each in self._graph.input if each.name not in self._constants]
        if len(images) != 1 or len(self._graph.output) != 1:
            raise UnsupportedNetworkError("a network has one input and one output")
        self._results[images[0].name] = IMAGE
        sizes = [each.dim_value for each in images[0].type.tensor_type.shape.dim]
        if len(sizes) != 4 or min(sizes[1:]) < 1:
            raise UnsupportedNetworkError(
                "the input must have the shape (N, channels, height, width) with known sizes"
            )
        return sizes[1:]

    def _check_output(self) -> None:
        name = self._graph.output[0].name
        if not self._steps or self._results.get(name) != self._steps[-1]["name"]:
            raise UnsupportedNetworkError("the output is not the result of the last operation")

    def constant(self, node: _Node, position: int, default: Any = None) -> np.ndarray:
        """Return a constant input, such as a weight."""
        if position >= len(node.inputs) or not node.inputs[position]:
            if default is None:
                raise UnsupportedNetworkError(f"{node.name}: input {position} is missing")
            return default
        if node.inputs[position] not in self._constants:
            raise UnsupportedNetworkError(
                f"{node.name}: input {position} of {node.kind} must be a constant"
            )
        return self._constants[node.inputs[position]]

    def has(self, node: _Node, position: int) -> bool:
        """Tell whether an input is given."""
        return position < len(node.inputs) and bool(node.inputs[position])

    def is_constant(self, name: str) -> bool:
        """Tell whether a name is that of a constant."""
        return name in self._constants

    def source(self, node: _Node, position: int = 0) -> str:
        """Return the step whose result is an input."""
        name = node.inputs[position] if position < len(node.inputs) else ""
        if name not in self._results:
            raise UnsupportedNetworkError(
                f"{node.name}: input {position} of {node.kind} must be the result of an operation"
            )
        return self._results[name]

    def alias(self, node: _Node) -> None:
        """Use the input as the result."""
        self._results[node.output] = self.source(node)

    def add(self, node: _Node, step: _Step) -> str:
        """Append a step."""
        name = self._new_name(node.name)
        self._steps.append(
            {"name": name, "kind": step.kind, "inputs": step.inputs, "settings": step.settings}
        )
        for value in step.tensors.values():
            self._elements += np.size(value)
        if self._elements > self._limits.parameters:
            raise UnsupportedNetworkError(
                f"the layers have more than {self._limits.parameters:,} weights, counted in each "
                "layer that uses them"
            )
        for key, value in step.tensors.items():
            self.state[f"{name}.{key}"] = torch.from_numpy(np.array(value, np.float32))
        self._results[node.output] = name
        return name

    def _new_name(self, wish: str) -> str:
        stem = re.sub(r"\W+", "_", wish, flags=re.ASCII).strip("_")[:60] or "step"
        number, name = 1, stem
        while name in self._names or is_reserved(name):
            number += 1
            name = f"{stem}_{number}"
        self._names.add(name)
        return name


def _array(tensor: Any) -> np.ndarray:
    from onnx import TensorProto, numpy_helper

    if tensor.data_location != TensorProto.DEFAULT or tensor.external_data:
        raise UnsupportedNetworkError(
            "the weights are in another file: export with external_data=False"
        )
    if _elements(tensor) > LIMITS.parameters or tensor.data_type not in _number_types():
        raise UnsupportedNetworkError(f"{tensor.name[:60]!r} is too large, or holds no numbers")
    try:
        return numpy_helper.to_array(tensor)
    except Exception as error:  # the decoder of damaged tensors has no closed set of exceptions
        raise UnsupportedNetworkError(f"the weight {tensor.name[:60]!r} is damaged") from error


def _number_types() -> tuple[int, ...]:
    from onnx import TensorProto

    kinds = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.INT32)
    return (*kinds, TensorProto.INT64)


def _node(proto: Any, number: int) -> _Node:
    from onnx import AttributeProto, helper

    if proto.domain not in ("", "ai.onnx"):
        raise UnsupportedNetworkError(f"the domain {proto.domain[:40]!r} cannot be pruned")
    attributes = {}
    for attribute in proto.attribute:
        if attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS):
            raise UnsupportedNetworkError(f"{proto.op_type[:40]} has a graph of its own")
        try:
            attributes[attribute.name] = helper.get_attribute_value(attribute)
        except ValueError as error:
            raise UnsupportedNetworkError(f"an attribute of {proto.op_type[:40]} is damaged") from (
                error
            )
    outputs = [name for name in proto.output if name]
    if len(outputs) != 1:
        raise UnsupportedNetworkError(f"{proto.op_type[:40]} has {len(outputs)} results, not one")
    name = proto.name or f"{proto.op_type}_{number}"
    return _Node(name, proto.op_type, tuple(proto.input), outputs[0], attributes)


def _constant(node: _Node) -> np.ndarray:
    value = node.attributes.get("value")
    if value is not None:
        return _array(value)
    for key in ("value_float", "value_int", "value_floats", "value_ints"):
        if key in node.attributes:
            return np.array(node.attributes[key])
    raise UnsupportedNetworkError(f"{node.name}: a constant without numbers")


def _pair(node: _Node, name: str, default: int) -> list[int]:
    value = list(node.attributes.get(name, [default, default]))
    if len(value) != 2:
        raise UnsupportedNetworkError(f"{node.name}: {name} must have two numbers")
    return value


def _padding(node: _Node) -> list[int]:
    if node.attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise UnsupportedNetworkError(f"{node.name}: auto_pad must be replaced by pads")
    pads = list(node.attributes.get("pads", [0, 0, 0, 0]))
    if len(pads) != 4 or pads[:2] != pads[2:]:
        raise UnsupportedNetworkError(f"{node.name}: padding must be the same on both sides")
    return pads[:2]


def _conv(reader: _Reader, node: _Node) -> None:
    weight = reader.constant(node, 1)
    if weight.ndim != 4:
        raise UnsupportedNetworkError(f"{node.name}: only convolutions of images can be pruned")
    groups = int(node.attributes.get("group", 1))
    has_bias = reader.has(node, 2)
    tensors = {"weight": weight}
    if has_bias:
        tensors["bias"] = reader.constant(node, 2)
    settings = {
        "in_channels": weight.shape[1] * groups,
        "out_channels": weight.shape[0],
        "kernel_size": list(weight.shape[2:]),
        "stride": _pair(node, "strides", 1),
        "padding": _padding(node),
        "dilation": _pair(node, "dilations", 1),
        "groups": groups,
        "bias": has_bias,
    }
    reader.add(node, _Step("Conv2d", [reader.source(node)], settings, tensors))


def _linear(reader: _Reader, node: _Node, weight: np.ndarray, bias: np.ndarray | None) -> None:
    if weight.ndim != 2:
        raise UnsupportedNetworkError(f"{node.name}: the weight must be a matrix")
    tensors = {"weight": weight} if bias is None else {"weight": weight, "bias": bias.reshape(-1)}
    settings = {
        "in_features": weight.shape[1],
        "out_features": weight.shape[0],
        "bias": bias is not None,
    }
    reader.add(node, _Step("Linear", [reader.source(node)], settings, tensors))


def _gemm(reader: _Reader, node: _Node) -> None:
    attributes = node.attributes
    if attributes.get("transA", 0) or attributes.get("alpha", 1.0) != 1.0:
        raise UnsupportedNetworkError(f"{node.name}: transA and alpha cannot be pruned")
    if reader.has(node, 2) and attributes.get("beta", 1.0) != 1.0:
        raise UnsupportedNetworkError(f"{node.name}: beta cannot be pruned")
    weight = reader.constant(node, 1)
    bias = reader.constant(node, 2) if reader.has(node, 2) else None
    _linear(reader, node, weight if attributes.get("transB", 0) else weight.T, bias)


def _matmul(reader: _Reader, node: _Node) -> None:
    _linear(reader, node, reader.constant(node, 1).T, None)


def _batch_norm(reader: _Reader, node: _Node) -> None:
    names = ("weight", "bias", "running_mean", "running_var")
    tensors = {name: reader.constant(node, place) for place, name in enumerate(names, start=1)}
    settings = {
        "num_features": tensors["weight"].size,
        "eps": float(node.attributes.get("epsilon", 1e-5)),
        "affine": True,
    }
    reader.add(node, _Step("BatchNorm2d", [reader.source(node)], settings, tensors))


def _add(reader: _Reader, node: _Node) -> None:
    constants = [reader.is_constant(name) for name in node.inputs]
    if any(constants):
        raise UnsupportedNetworkError(
            f"{node.name}: a constant that is added cannot be pruned; use Gemm with a bias"
        )
    reader.add(node, _Step("Add", [reader.source(node, 0), reader.source(node, 1)]))


def _mul(reader: _Reader, node: _Node) -> None:
    reader.add(node, _Step("Multiply", [reader.source(node, 0), reader.source(node, 1)]))


def _concat(reader: _Reader, node: _Node) -> None:
    if node.attributes.get("axis") not in (1, -3):
        raise UnsupportedNetworkError(f"{node.name}: only channels can be concatenated")
    sources = [reader.source(node, place) for place in range(len(node.inputs))]
    reader.add(node, _Step("Concatenate", sources))


def _clip(reader: _Reader, node: _Node) -> None:
    low = float(np.ravel(reader.constant(node, 1, np.array(-math.inf)))[0])
    high = float(np.ravel(reader.constant(node, 2, np.array(math.inf)))[0])
    if not math.isfinite(low + high):
        raise UnsupportedNetworkError(f"{node.name}: Clip needs both limits")
    settings = {"min_val": low, "max_val": high}
    reader.add(node, _Step("Hardtanh", [reader.source(node)], settings))


def _max_pool(reader: _Reader, node: _Node) -> None:
    settings = {
        "kernel_size": _pair(node, "kernel_shape", 0),
        "stride": _pair(node, "strides", 1),
        "padding": _padding(node),
        "dilation": _pair(node, "dilations", 1),
        "ceil_mode": bool(node.attributes.get("ceil_mode", 0)),
    }
    reader.add(node, _Step("MaxPool2d", [reader.source(node)], settings))


def _average_pool(reader: _Reader, node: _Node) -> None:
    settings = {
        "kernel_size": _pair(node, "kernel_shape", 0),
        "stride": _pair(node, "strides", 1),
        "padding": _padding(node),
        "ceil_mode": bool(node.attributes.get("ceil_mode", 0)),
        "count_include_pad": bool(node.attributes.get("count_include_pad", 0)),
        "divisor_override": None,
    }
    reader.add(node, _Step("AvgPool2d", [reader.source(node)], settings))


def _global_pool(reader: _Reader, node: _Node) -> None:
    step = _Step("AdaptiveAvgPool2d", [reader.source(node)], {"output_size": 1})
    reader.add(node, step)


def _mean(reader: _Reader, node: _Node) -> None:
    axes = node.attributes.get("axes")
    if axes is None:
        axes = reader.constant(node, 1).tolist()
    if sorted(int(axis) % 4 for axis in axes) != [2, 3]:
        raise UnsupportedNetworkError(f"{node.name}: only height and width can be averaged")
    _global_pool(reader, node)
    if not node.attributes.get("keepdims", 1):
        flat = _Node(f"{node.name}_flatten", "Flatten", (node.output,), node.output, {})
        _flatten(reader, flat)


def _flatten(reader: _Reader, node: _Node) -> None:
    if node.attributes.get("axis", 1) != 1:
        raise UnsupportedNetworkError(f"{node.name}: Flatten must keep the first dimension only")
    reader.add(node, _Step("Flatten", [reader.source(node)]))


def _reshape(reader: _Reader, node: _Node) -> None:
    if reader.constant(node, 1).size != 2:
        raise UnsupportedNetworkError(f"{node.name}: a reshape must give (N, all features)")
    reader.add(node, _Step("Flatten", [reader.source(node)]))


def _identity(reader: _Reader, node: _Node) -> None:
    reader.alias(node)


def _activation(kind: str, **attributes: tuple[str, float]) -> Callable[[_Reader, _Node], None]:
    """Return the translation of an activation; attributes are (ONNX name, default) by setting."""

    def translate(reader: _Reader, node: _Node) -> None:
        settings = {}
        for setting, (name, default) in attributes.items():
            settings[setting] = float(node.attributes.get(name, default))
        reader.add(node, _Step(kind, [reader.source(node)], settings))

    return translate


OPERATIONS: dict[str, Callable[[_Reader, _Node], None]] = {
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "BatchNormalization": _batch_norm,
    "Relu": _activation("ReLU"),
    "LeakyRelu": _activation("LeakyReLU", negative_slope=("alpha", 0.01)),
    "Elu": _activation("ELU", alpha=("alpha", 1.0)),
    "Sigmoid": _activation("Sigmoid"),
    "Tanh": _activation("Tanh"),
    "HardSwish": _activation("Hardswish"),
    "Clip": _clip,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global_pool,
    "ReduceMean": _mean,
    "Add": _add,
    "Mul": _mul,
    "Concat": _concat,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Identity": _identity,
    "Dropout": _identity,
}
"""Every operation of an ONNX file that has a translation."""
