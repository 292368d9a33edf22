import pytest
import torch
from torch import nn

from pruning.models import NETWORKS, ResidualBlock, build, prunable
from pruning.recipe.compatibility import layers_for


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("channels, size", [(1, 28), (3, 32), (1, 32), (3, 28)])
def test_every_network_takes_every_image_shape(name, channels, size):
    model = build(name, channels=channels, size=size).eval()
    assert isinstance(model, nn.Sequential) and all(
        not key.isdigit() for key, _ in model.named_children()
    )
    assert model(torch.rand(2, channels, size, size)).shape == (2, 10)
    assert tuple(prunable(model)) == layers_for(name, "weight", "")


def test_the_seed_decides_and_the_global_random_state_stays():
    before = torch.get_rng_state()
    first, again, other = (build("lenet5", channels=1, size=28, seed=s) for s in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first.fc1.weight, again.fc1.weight) and not torch.equal(
        first.fc1.weight, other.fc1.weight
    )


def test_bad_arguments_say_what_is_valid():
    with pytest.raises(ValueError, match="unknown network 'vgg': choose from lenet300, lenet5"):
        build("vgg", channels=1, size=28)
    with pytest.raises(ValueError, match="28 or 32"):
        build("lenet5", channels=1, size=7)


def test_the_order_of_registration_is_the_order_of_the_selectors():
    names = [name for name in NETWORKS if name in ("lenet300", "lenet5", "resnet20", "resnet56")]
    assert names == ["lenet300", "lenet5", "resnet20", "resnet56"]


@pytest.mark.parametrize("name", NETWORKS)
def test_residual_networks_are_those_with_residual_blocks(name):
    modules = build(name, channels=1, size=28).modules()
    has_blocks = any(isinstance(module, ResidualBlock) for module in modules)
    assert NETWORKS[name].residual == has_blocks
