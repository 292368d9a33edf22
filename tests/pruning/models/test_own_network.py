"""Networks of users: their weights, their names, and what is copied from trained ones."""

import pytest
import torch
from safetensors.torch import save
from torch import nn

from pruning.inference.classify import BATCH_BYTES, BATCH_SIZE, default_batch_size
from pruning.models import NETWORKS, build, checkpoints
from pruning.models.graph import UnsupportedNetworkError
from pruning.models.own_network import copy_matching_weights, load_weights, register_network
from tests.small_network import SmallNetwork

SHAPE = (1, 8, 8)


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return SmallNetwork().eval()


def other_weights(model: nn.Module) -> dict[str, torch.Tensor]:
    state = {}
    for name, tensor in model.state_dict().items():
        state[name] = tensor + 1 if tensor.is_floating_point() else tensor.clone()
    return state


def test_weights_are_those_of_the_file(model):
    state = other_weights(model)
    load_weights(model, save(state))
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, state[name])


def test_counters_of_batches_may_be_missing(model):
    state = other_weights(model)
    counters = [name for name in state if name.endswith("num_batches_tracked")]
    assert counters
    load_weights(model, save({name: state[name] for name in state if name not in counters}))
    assert torch.equal(model.state_dict()["stem.weight"], state["stem.weight"])


def test_other_weights_are_refused_by_a_sentence(model):
    state = other_weights(model)
    first = next(iter(state))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    broken = {
        "not a safetensors file": b"\x80\x04K\x01.",
        f"no tensor {first}": save({name: state[name] for name in list(state)[1:]}),
        "a tensor other": save(state | {"other": torch.zeros(1)}),
        f"{first} has the shape": save(state | {first: torch.zeros(3)}),
        f"{first} has numbers of type": save(state | {first: state[first].to(torch.int32)}),
    }
    for message, content in broken.items():
        with pytest.raises(UnsupportedNetworkError, match=message):
            load_weights(model, content)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_the_name_depends_on_the_weights_and_the_label(model):
    first = register_network(model, SHAPE, "First")
    second = register_network(model, SHAPE, "Second")
    assert first.name != second.name
    assert NETWORKS[first.name].label == "First"
    assert first.own.weights_sha256 == second.own.weights_sha256
    assert register_network(model, SHAPE, "First").name == first.name


def test_layers_of_the_same_shape_are_copied():
    source = checkpoints.load("lenet5", "digits")
    model = build("lenet5", channels=1, size=28, classes=3, seed=1)
    untrained = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    others = copy_matching_weights(model, source)
    assert others == ["fc3.weight", "fc3.bias"]
    for name, tensor in model.state_dict().items():
        expected = untrained[name] if name in others else source.state_dict()[name]
        assert torch.equal(tensor, expected)


def test_settings_that_are_not_printed_are_part_of_the_name():
    def pooled(divisor: int | None) -> nn.Module:
        torch.manual_seed(0)
        pool = nn.AvgPool2d(8, divisor_override=divisor)
        return nn.Sequential(nn.Conv2d(1, 4, 1), pool, nn.Flatten(), nn.Linear(4, 10)).eval()

    first, second = (register_network(pooled(divisor), SHAPE) for divisor in (None, 1000))
    assert first.name != second.name
    assert first.own.weights_sha256 != second.own.weights_sha256


def test_an_entry_is_not_replaced(model):
    first = register_network(model, SHAPE, "First")
    assert register_network(model, SHAPE, "First") is first


def test_batches_of_a_users_network_are_limited_by_memory(model):
    own = register_network(model, SHAPE).own.model
    usual = default_batch_size(own)
    wide = nn.Sequential(nn.Conv2d(1, 3000, 3, padding=1), nn.Flatten(), nn.Linear(192_000, 10))
    large = register_network(wide.eval(), SHAPE).own.model
    assert usual == BATCH_SIZE[nn.BatchNorm2d]
    assert 64 * 3000 <= large.peak_values <= 3 * 64 * 3000
    assert default_batch_size(large) == BATCH_BYTES // (4 * large.peak_values) < 500
