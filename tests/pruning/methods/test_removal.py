"""Physical removal, in small networks."""

import torch
from torch import nn

from pruning.methods.removal import remove


def random_network(**stages: nn.Module) -> nn.Sequential:
    model = nn.Sequential()
    for name, stage in stages.items():
        model.add_module(name, stage)
    return model.eval().requires_grad_(False)


def count_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_a_network_that_is_not_registered():
    torch.manual_seed(0)
    model = random_network(
        conv1=nn.Conv2d(3, 8, 3),
        bn1=nn.BatchNorm2d(8),
        relu1=nn.ReLU(),
        conv2=nn.Conv2d(8, 6, 3, bias=False),
        relu2=nn.ReLU(),
        pool=nn.AdaptiveAvgPool2d(2),
        flatten=nn.Flatten(),
        fc1=nn.Linear(24, 5),
        relu3=nn.ReLU(),
        fc2=nn.Linear(5, 4),
    )
    removed = torch.tensor([True, False] * 4)
    masked = {}
    for name in ("conv1.weight", "conv1.bias", "bn1.weight", "bn1.bias"):
        masked[name] = model.get_parameter(name).clone()
        masked[name][removed] = 0
    compact = remove(model, masked, 3, 12)
    assert compact.conv1.weight.shape[0] == compact.conv2.weight.shape[1] == 4
    model.load_state_dict(masked, strict=False)
    x = torch.randn(4, 3, 12, 12)
    torch.testing.assert_close(compact(x), model(x))


def test_a_negative_constant_without_a_relu_is_absorbed():
    torch.manual_seed(0)
    model = random_network(flatten=nn.Flatten(), fc1=nn.Linear(16, 4), fc2=nn.Linear(4, 3))
    weight, bias = model.fc1.weight.clone(), torch.tensor([-2.0, -1.0, 0.5, 1.0])
    weight[:2] = 0  # the outputs of these units are negative, and no ReLU makes them zero
    masked = {"fc1.weight": weight, "fc1.bias": bias}
    compact = remove(model, masked, 1, 4)
    assert compact.fc1.weight.shape == (2, 16)
    assert count_parameters(compact) < count_parameters(model)
    model.load_state_dict(masked, strict=False)
    x = torch.randn(5, 1, 4, 4)
    torch.testing.assert_close(compact(x), model(x))


def test_masked_pixels_of_a_convolution_are_set_to_zero():
    torch.manual_seed(0)
    model = random_network(conv=nn.Conv2d(1, 2, 3), flatten=nn.Flatten(), fc=nn.Linear(8, 3))
    pixels = (torch.rand(1, 4, 4) < 0.5).float()
    compact = remove(model, {"input": pixels}, 1, 4)
    x = torch.randn(5, 1, 4, 4)
    torch.testing.assert_close(compact(x), model(x * pixels))


def test_masked_pixels_of_a_linear_layer_are_removed_with_their_weights():
    torch.manual_seed(0)
    model = random_network(flatten=nn.Flatten(), fc1=nn.Linear(16, 4), fc2=nn.Linear(4, 3))
    pixels = (torch.arange(16) % 2).view(1, 4, 4).float()
    compact = remove(model, {"input": pixels}, 1, 4)
    assert compact.fc1.weight.shape == (4, 8)
    x = torch.randn(5, 1, 4, 4)
    torch.testing.assert_close(compact(x), model(x * pixels))


def test_one_unit_of_each_layer_remains_and_the_model_is_not_modified():
    model = random_network(flatten=nn.Flatten(), fc1=nn.Linear(16, 4), fc2=nn.Linear(4, 3))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    compact = remove(model, {"fc1.weight": torch.zeros(4, 16)}, 1, 4)
    assert compact.fc1.weight.shape == (1, 1) and compact.fc2.weight.shape == (3, 1)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
