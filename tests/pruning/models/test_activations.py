"""Recorded activations: what is kept, and that no hook outlives the context."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

from pruning.models.activations import record_activations


@pytest.fixture
def model() -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(fc1=nn.Linear(3, 4), relu=nn.ReLU(), fc2=nn.Linear(4, 2))
    ).requires_grad_(False)


def count_hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in model.modules())


def test_inputs_and_outputs_of_the_latest_forward_pass(model):
    first, second = torch.randn(5, 3), torch.randn(2, 3)
    with record_activations(model, ["relu", "fc2"]) as recorded:
        model(first)
        logits = model(second)
    hidden = model.fc1(second)
    assert list(recorded.inputs) == list(recorded.outputs) == ["relu", "fc2"]
    assert torch.equal(recorded.inputs["relu"], hidden)
    assert torch.equal(recorded.outputs["relu"], hidden.relu())
    assert torch.equal(recorded.outputs["fc2"], logits)


def test_the_callback_is_called_at_every_forward_pass(model):
    calls = []

    def on_forward(name, module, inputs, output):
        calls.append((name, module, inputs[0].shape, output.shape))

    with record_activations(model, ["fc1"], on_forward) as recorded:
        model(torch.randn(5, 3))
        model(torch.randn(2, 3))
    assert [call[:2] for call in calls] == [("fc1", model.fc1)] * 2
    assert [call[2:] for call in calls] == [((5, 3), (5, 4)), ((2, 3), (2, 4))]
    assert recorded.outputs["fc1"].shape == (2, 4)


def test_tensors_are_not_kept_where_they_are_not_needed(model):
    with record_activations(model, ["fc1"], keep_inputs=False, keep_outputs=False) as recorded:
        model(torch.randn(5, 3))
    assert not recorded.inputs and not recorded.outputs


def test_hooks_are_removed_at_the_end(model):
    with record_activations(model, ["fc1", "relu"]) as recorded:
        assert count_hooks(model) == 2
    model(torch.randn(5, 3))
    assert count_hooks(model) == 0 and not recorded.outputs


def test_hooks_are_removed_after_an_exception(model):
    with pytest.raises(RuntimeError, match="cancelled"), record_activations(model, ["fc1"]):
        raise RuntimeError("cancelled")
    assert count_hooks(model) == 0


def test_hooks_are_removed_when_the_callback_raises(model):
    def fail(name, module, inputs, output):
        raise RuntimeError(f"failed at {name}")

    with (
        pytest.raises(RuntimeError, match="failed at relu"),
        record_activations(model, ["relu"], fail),
    ):
        model(torch.randn(5, 3))
    assert count_hooks(model) == 0


def test_hooks_are_removed_when_a_generator_is_abandoned(model):
    def outputs():
        with record_activations(model, ["fc1"]) as recorded:
            while True:
                model(torch.randn(5, 3))
                yield recorded.outputs["fc1"]

    batches = outputs()
    next(batches)
    assert count_hooks(model) == 1
    batches.close()
    assert count_hooks(model) == 0


def test_an_unknown_module_is_refused_and_leaves_no_hook(model):
    with pytest.raises(AttributeError), record_activations(model, ["fc1", "fc9"]):
        pass
    assert count_hooks(model) == 0
