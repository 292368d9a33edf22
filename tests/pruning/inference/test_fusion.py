import pytest
import torch
from torch import nn

from pruning.inference.fusion import fuse
from pruning.inference.prefix_cache import forward
from pruning.models import NETWORKS, build


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("channels, size", [(1, 28), (3, 32)])
def test_the_fast_path_computes_what_the_network_computes(name, channels, size):
    model = build(name, channels=channels, size=size).eval().double().requires_grad_(False)
    x = torch.rand(3, channels, size, size, dtype=torch.float64)
    replaced = {
        key: value * 0.5 for key, value in model.named_parameters() if key.endswith("weight")
    }
    for parameters in ({}, replaced):
        expected = torch.func.functional_call(model, parameters, (x,))
        torch.testing.assert_close(forward(model, parameters)(x), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_operations_of_32_bits_compute_what_the_network_computes(name):
    """In double precision there is a plain path; this one is what everybody sees."""
    model = build(name, channels=3, size=32).eval().requires_grad_(False)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # not the identity, as a new one is
            for values in (module.running_mean, module.running_var, module.weight, module.bias):
                values.copy_(torch.rand_like(values) + 0.5)
    x = torch.rand(5, 3, 32, 32)
    replaced = {
        key: value * 0.5 for key, value in model.named_parameters() if key.endswith("weight")
    }
    for parameters in ({}, replaced):
        expected = torch.func.functional_call(model, parameters, (x,))
        torch.testing.assert_close(forward(model, parameters)(x), expected, rtol=1e-4, atol=1e-4)


def test_pooling_where_a_row_is_left_over():
    stages = torch.nn.Sequential()
    stages.add_module("conv", torch.nn.Conv2d(2, 3, 3, padding=1))
    stages.add_module("pool", torch.nn.MaxPool2d(2))
    stages = stages.double().requires_grad_(False)
    x = torch.rand(2, 2, 7, 9, dtype=torch.float64)
    torch.testing.assert_close(forward(stages, {})(x), stages(x))


def with_batch_norm(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Sequential:
    model = nn.Sequential()
    model.add_module("conv", conv)
    model.add_module("norm", norm)
    model.add_module("relu", nn.ReLU())
    return model.eval().requires_grad_(False)


def stages_of_parts(model: nn.Sequential) -> list[list[str]]:
    return [list(part.stages) for part in fuse(model, {})]


def test_convolution_batch_norm_and_relu_are_one_part():
    model = with_batch_norm(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))
    assert stages_of_parts(model) == [["conv", "norm", "relu"]]


@pytest.mark.parametrize(
    "conv, norm",
    [
        (nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"), nn.BatchNorm2d(3)),
        (nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3, affine=False)),
        (nn.Conv2d(2, 3, 3, padding="same"), nn.BatchNorm2d(3)),
    ],
)
def test_modules_that_no_fast_operation_supports_are_computed_as_they_are(conv, norm):
    model = with_batch_norm(conv, norm)
    x = torch.rand(2, 2, 6, 6)
    torch.testing.assert_close(forward(model, {})(x), model(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "pool", [nn.MaxPool2d(3), nn.MaxPool2d(2, stride=1), nn.MaxPool2d(2, padding=1)]
)
def test_other_pooling_is_not_fused(pool):
    model = nn.Sequential(nn.Conv2d(2, 3, 3), pool).requires_grad_(False)
    assert stages_of_parts(model) == [["0"], ["1"]]
    x = torch.rand(2, 2, 9, 9)
    torch.testing.assert_close(forward(model, {})(x), model(x))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_parts_are_all_stages_in_order_with_their_own_replacements(name):
    model = build(name, channels=3, size=32)
    parameters = dict(model.named_parameters())
    parts = fuse(model, parameters)
    stages = [stage for part in parts for stage in part.stages]
    assert stages == [stage for stage, _ in model.named_children()]
    replaced = [key for part in parts for key in part.replacements]
    assert sorted(replaced) == sorted(parameters)


def test_replacements_leave_the_shared_network_unmodified_and_share_all_other_tensors():
    model = build("resnet20", channels=3, size=32).eval().requires_grad_(False)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    forward(model, {"fc.weight": model.fc.weight * 0})(torch.rand(2, 3, 32, 32))
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])
