"""Removal from networks whose graphs are unusual: the logits stay those of the masked network."""

import pytest
import torch
from torch import nn

from pruning.inference.prefix_cache import forward
from pruning.methods.removal import remove
from pruning.models.graph import translate

SHAPE = (2, 4, 4)


class Sum(nn.Module):
    """Logits that are the sum of two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(32, 3), nn.Linear(32, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        flat = x.flatten(1)
        return self.a(flat) + self.b(flat)


class TiedToImage(nn.Module):
    """An addition of the image and of a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 3, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(x + self.a(x)).flatten(1)


class Part(nn.Module):
    """A linear layer that reads some channels of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        _, second = x.chunk(2, 1)
        return self.last(second.flatten(1))


def check(model: nn.Module, parameters: dict[str, torch.Tensor]) -> None:
    network = translate(model.eval().requires_grad_(False), SHAPE)
    x = torch.rand(5, *SHAPE, generator=torch.Generator().manual_seed(0))
    masked = forward(network, parameters)(x)
    torch.testing.assert_close(remove(network, parameters, 2, 4)(x), masked, atol=1e-5, rtol=0)


def test_the_last_of_two_branches_is_zero():
    torch.manual_seed(0)
    check(Sum(), {"b.weight": torch.zeros(3, 32), "b.bias": torch.zeros(3)})


def test_channels_of_the_image_stay():
    torch.manual_seed(0)
    model = TiedToImage()
    weights = {name: value.detach().clone() for name, value in model.named_parameters()}
    weights["a.weight"][:, 1] = 0
    weights["b.weight"][:, 1] = 0
    check(model, weights)


def test_a_constant_is_not_absorbed_through_a_pooling_with_its_own_divisor():
    torch.manual_seed(0)
    pool = nn.AvgPool2d(2, divisor_override=1)
    model = nn.Sequential(nn.Conv2d(2, 2, 1), pool, nn.Flatten(), nn.Linear(8, 3))
    check(model, {"0.weight": torch.zeros(2, 2, 1, 1), "0.bias": torch.tensor([1.0, 2.0])})


FIRST = {
    "norm": nn.BatchNorm2d(2),
    "sigmoid": nn.Sigmoid(),
    "pooling": nn.AvgPool2d(1),
    "flatten": nn.Flatten(),
}


@pytest.mark.parametrize("name", FIRST)
def test_masked_pixels_before_something_else_than_a_linear_layer(name):
    torch.manual_seed(0)
    first = FIRST[name]
    if isinstance(first, nn.BatchNorm2d):
        first.bias.data = torch.tensor([1.0, 2.0])
    rest = (nn.Linear(32, 3),) if name == "flatten" else (nn.Flatten(), nn.Linear(32, 3))
    mask = torch.ones(1, 4, 4)
    mask[0, :2] = 0
    check(nn.Sequential(first, *rest), {"input": mask})


def test_a_part_of_the_image():
    torch.manual_seed(0)
    mask = torch.ones(1, 4, 4)
    mask[0, 0] = 0
    check(Part(), {"input": mask})
    check(Part(), {})
