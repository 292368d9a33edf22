import logging
from types import SimpleNamespace

import pytest
import torch

from pruning.inference import onednn
from pruning.inference.prefix_cache import forward
from pruning.models import build

needs_onednn = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="PyTorch without oneDNN"
)


@pytest.fixture(autouse=True)
def empty_cache():
    onednn.fused_operations.cache_clear()
    yield
    onednn.fused_operations.cache_clear()


def remove_pack_weight(monkeypatch):
    monkeypatch.delattr(torch._C._nn, "mkldnn_reorder_conv2d_weight")


def remove_convolution(monkeypatch):
    monkeypatch.setattr(torch.ops, "mkldnn", SimpleNamespace())


def remove_convolution_add(monkeypatch):
    convolution = torch.ops.mkldnn._convolution_pointwise
    unary_only = SimpleNamespace(_convolution_pointwise=lambda *args: convolution(*args))
    monkeypatch.setattr(torch.ops, "mkldnn", unary_only)


REMOVALS = {
    "torch._C._nn.mkldnn_reorder_conv2d_weight": remove_pack_weight,
    "torch.ops.mkldnn._convolution_pointwise": remove_convolution,
    "torch.ops.mkldnn._convolution_pointwise.binary": remove_convolution_add,
}


def random_resnet() -> torch.nn.Sequential:
    model = build("resnet20", channels=3, size=32).eval().requires_grad_(False)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # not the identity, as a new one is
            for values in (module.running_mean, module.running_var, module.weight, module.bias):
                values.copy_(torch.rand_like(values) + 0.5)
    return model


@needs_onednn
def test_this_pytorch_has_every_private_operation():
    missing = onednn.missing_symbols()
    assert not missing, f"PyTorch {torch.__version__} has no {', '.join(missing)}"


@needs_onednn
def test_the_operations_of_this_pytorch_pass_their_test(caplog):
    assert onednn.fused_operations() is not None
    assert not caplog.records


@needs_onednn
@pytest.mark.parametrize("symbol", REMOVALS)
def test_without_an_operation_the_logits_are_the_same_and_one_warning_names_it(
    symbol, monkeypatch, caplog
):
    model, x = random_resnet(), torch.rand(5, 3, 32, 32)
    fused = forward(model, {})(x)
    onednn.fused_operations.cache_clear()
    REMOVALS[symbol](monkeypatch)
    assert symbol in onednn.missing_symbols()
    with caplog.at_level(logging.WARNING):
        plain = [forward(model, {})(x) for _ in range(2)]
    assert onednn.fused_operations() is None
    torch.testing.assert_close(plain[0], fused, rtol=1e-4, atol=1e-4)
    assert torch.equal(plain[0], plain[1])
    assert len(caplog.records) == 1
    assert symbol in caplog.text


@needs_onednn
def test_an_operation_with_other_arguments_is_not_used(monkeypatch, caplog):
    def other_signature(x, weight):
        raise AssertionError("not called with these arguments")

    other_signature.binary = other_signature
    monkeypatch.setattr(
        torch.ops, "mkldnn", SimpleNamespace(_convolution_pointwise=other_signature)
    )
    assert onednn.fused_operations() is None
    assert "positional arguments" in caplog.text


@needs_onednn
@pytest.mark.parametrize("wrong", ["unary", "binary"])
def test_an_operation_that_computes_something_else_is_not_used(wrong, monkeypatch, caplog):
    real = torch.ops.mkldnn._convolution_pointwise

    def convolution(*args):
        return real(*args) + (wrong == "unary")

    convolution.binary = lambda *args: real.binary(*args) + (wrong == "binary")
    monkeypatch.setattr(torch.ops, "mkldnn", SimpleNamespace(_convolution_pointwise=convolution))
    assert onednn.fused_operations() is None
    assert "gives other values" in caplog.text


def test_without_onednn_nothing_is_logged(monkeypatch, caplog):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert onednn.fused_operations() is None
    assert not caplog.records
