"""Networks from ONNX files: the same logits, or a sentence."""

import io
import random
import warnings
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from functools import cache

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torchvision.models.resnet import BasicBlock

from pruning.models import onnx_import
from pruning.models.architecture import LIMITS
from pruning.models.graph import UnsupportedNetworkError
from pruning.models.onnx_import import network_from_onnx
from tests.small_network import SmallNetwork


def exported(model: nn.Module, *shape: int) -> bytes:
    images = torch.export.Dim("images", min=1)
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model.eval(), (torch.zeros(2, *shape),), dynamo=True, dynamic_shapes=({0: images},)
        )
    return program.model_proto.SerializeToString()


def check(content: bytes, *shape: int) -> None:
    x = torch.rand(3, *shape)
    session = onnxruntime.InferenceSession(content)
    [expected] = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    with torch.no_grad():
        logits = network_from_onnx(content)(x)
    torch.testing.assert_close(logits, torch.from_numpy(expected), atol=1e-4, rtol=1e-4)


@cache
def small() -> bytes:
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(4, 4, 3, groups=2), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(16, 3)),
    )
    return exported(model, 1, 8, 8)


@pytest.mark.slow
def test_networks_of_pytorch_come_back():
    check(small(), 1, 8, 8)
    torch.manual_seed(0)
    check(exported(SmallNetwork(), 1, 8, 8), 1, 8, 8)


OPTIONS = {
    "ResNet": {"block": BasicBlock, "layers": [2, 2, 2, 2]},  # ResNet-18
    "SqueezeNet": {"version": "1_1"},
    "MobileNetV2": {
        "inverted_residual_setting": [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 2, 2)],
    },
    "DenseNet": {"block_config": (2, 2, 2)},
}
"""The last two have all operations in fewer blocks: most of the time is the export of layers."""


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIONS)
def test_networks_of_torchvision_come_back(name):
    torch.manual_seed(0)
    model = getattr(torchvision.models, name)(num_classes=10, **OPTIONS[name])
    check(exported(model, 3, 64, 64), 3, 64, 64)


def made(*nodes, inputs=None, **constants: np.ndarray) -> bytes:
    """A file of some nodes; the first reads ``image``, the last gives ``logits``."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, inputs or ["N", 2, 4, 4])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 3])
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(list(nodes), "g", [image], [logits], tensors)
    return helper.make_model(graph).SerializeToString()


W = np.ones((3, 32), np.float32)
K = np.ones((3, 2, 4, 4), np.float32)
FLATTEN = helper.make_node("Flatten", ["image"], ["flat"])
GEMM = helper.make_node("Gemm", ["flat", "w"], ["logits"], transB=1)
SUBGRAPH = helper.make_node(
    "If", ["image"], ["logits"], then_branch=helper.make_graph([], "t", [], [])
)


def external() -> bytes:
    model = onnx.load_from_string(made(FLATTEN, GEMM, w=W))
    [tensor] = model.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    return model.SerializeToString()


def external_constant() -> bytes:
    value = numpy_helper.from_array(W)
    value.ClearField("raw_data")
    value.data_location = TensorProto.EXTERNAL
    value.external_data.add(key="location", value="README.md")
    node = helper.make_node("Constant", [], ["w"], value=value)
    return made(FLATTEN, node, GEMM)


REFUSED = [
    (external_constant(), "the weights are in another file"),
    (made(helper.make_node("MaxPool", ["image"], ["logits"], kernel_shape=3)), "unusual value"),
    (b"", "no operation"),
    (b"\x00\xff" * 50, "it is not an ONNX file"),
    (made(FLATTEN, helper.make_node("LSTM", ["flat"], ["logits"])), "the operation LSTM"),
    (made(helper.make_node("Relu", ["image"], ["logits"], domain="my.ops")), "domain 'my.ops'"),
    (made(SUBGRAPH), "has a graph of its own"),
    (made(FLATTEN, GEMM), "input 1 of Gemm must be a constant"),
    (made(helper.make_node("Relu", ["nothing"], ["logits"])), "must be the result of an operation"),
    (made(FLATTEN, helper.make_node("Relu", ["flat"], ["other"])), "the output is not the result"),
    (made(FLATTEN, GEMM, inputs=["N", 2, 4], w=W), "the input must have the shape"),
    (made(FLATTEN, GEMM, w=W[:, :5]), "Gemm_1: "),
    (
        made(helper.make_node("Conv", ["image", "k"], ["logits"], auto_pad="SAME_UPPER"), k=K),
        "auto_pad must be replaced",
    ),
    (
        made(helper.make_node("Conv", ["image", "k"], ["logits"], pads=[0, 0, 1, 1]), k=K),
        "padding must be the same on both sides",
    ),
    (
        made(helper.make_node("Conv", ["image", "k"], ["logits"]), k=K),
        "the last step must give log",
    ),
    (external(), "the weights are in another file"),
]


@pytest.mark.parametrize("content, message", REFUSED, ids=range(len(REFUSED)))
def test_other_files_are_refused_by_a_sentence(content, message):
    with pytest.raises(UnsupportedNetworkError, match=message):
        network_from_onnx(content)


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_broken_files_end_with_a_sentence(seed):
    generator = random.Random(seed)
    content = bytearray(small())
    for _ in range(generator.randint(1, 20)):
        position = generator.randrange(len(content))
        action = generator.random()
        if action < 0.6:
            content[position] = generator.randrange(256)
        elif action < 0.8:
            del content[position : position + generator.randint(1, 50)]
        else:
            content[position:position] = bytes(generator.randrange(256) for _ in range(5))
    try:
        network = network_from_onnx(bytes(content))
    except UnsupportedNetworkError as error:
        assert 0 < len(str(error)) < 1000 and "\n" not in str(error)
    else:
        assert network(torch.zeros(1, *network.shape)).ndim == 2


def test_a_weight_that_many_layers_read_is_counted_for_each():
    square = np.eye(32, dtype=np.float32)
    nodes = [FLATTEN]
    for number in range(20):
        source = "flat" if number == 0 else f"h{number - 1}"
        nodes.append(helper.make_node("MatMul", [source, "m"], [f"h{number}"]))
    nodes.append(helper.make_node("Gemm", ["h19", "w"], ["logits"], transB=1))
    content = made(*nodes, m=square, w=W)
    assert sum(parameter.numel() for parameter in network_from_onnx(content).parameters()) > 20_000
    small = replace(LIMITS, parameters=10_000)
    with pytest.raises(UnsupportedNetworkError, match="more than 10,000 weights, counted in each"):
        network_from_onnx(content, small)


def test_files_of_many_constants_are_refused(monkeypatch):
    monkeypatch.setattr(onnx_import, "MAX_CONSTANTS", 1)
    with pytest.raises(UnsupportedNetworkError, match="more than 1 constants"):
        network_from_onnx(made(FLATTEN, GEMM, w=W, k=K))
