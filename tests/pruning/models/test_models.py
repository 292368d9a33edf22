import pytest
import torch
from torch import nn

from pruning.cost.macs import cost
from pruning.models import NETWORKS, build, layer_names, prunable

COUNTS = [  # published: parameters, prunable weights, MACs per image
    ("lenet300", "mnist", 266_610, 266_200, 266_200),
    ("lenet5", "mnist", 61_706, 61_470, 416_520),
    ("lenet5-caffe", "mnist", 431_080, 430_500, 2_293_000),
    ("resnet20", "cifar10", 272_474, 270_896, 40_813_184),
    # ResNet-56 is published with parameter-free shortcuts: 853,018 and 125,485,696. The two projections add
    # 16 x 32 + 32 x 64 weights, their batch norms 2 x (32 + 64), and 2 x 131,072 MACs.
    ("resnet56", "cifar10", 853_018 + 2_560 + 192, 851_504, 125_485_696 + 262_144),
]


@pytest.mark.parametrize("name, dataset, parameters, weights, macs", COUNTS)
def test_exact_counts(name, dataset, parameters, weights, macs):
    counted = cost(name, dataset)
    assert (counted.parameters, counted.prunable_weights, counted.macs) == (
        parameters,
        weights,
        macs,
    )


def test_parameter_free_shortcuts_give_the_other_published_counts():
    model = build("resnet20", channels=3, size=32)
    shortcuts = sum(p.numel() for name, p in model.named_parameters() if "shortcut" in name)
    assert cost("resnet20", "cifar10").parameters - shortcuts == 269_722
    dense = {layer.name: layer.macs for layer in cost("resnet20", "cifar10").layers}
    assert sum(macs for name, macs in dense.items() if "shortcut" not in name) == 40_551_040


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("channels, size", [(1, 28), (3, 32), (1, 32), (3, 28)])
def test_every_network_takes_every_image_shape(name, channels, size):
    model = build(name, channels=channels, size=size).eval()
    assert isinstance(model, nn.Sequential) and all(
        not key.isdigit() for key, _ in model.named_children()
    )
    assert model(torch.rand(2, channels, size, size)).shape == (2, 10)
    assert tuple(prunable(model)) == layer_names(name)


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
