"""Translation of networks to graphs of modules: the same logits, or a sentence."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from pruning.models import NETWORKS, build
from pruning.models.graph import UnsupportedNetworkError, translate

SHAPE = (3, 8, 8)


class Functional(nn.Module):
    """A convolution, a function of its output, and a linear layer."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor], features: int):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.linear = nn.Linear(features, 5)
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(self.function(self.conv(x)))


def check_same_logits(model: nn.Module) -> None:
    torch.manual_seed(0)
    model.eval()
    network = translate(model, SHAPE)
    x = torch.rand(5, *SHAPE)
    torch.testing.assert_close(network(x), model(x), rtol=0, atol=1e-5)
    for name, parameter in model.named_parameters():
        assert network.get_parameter(name) is parameter


def swapped(parts: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    a, b = parts
    return torch.cat([b, a], dim=-3)


FUNCTIONS = {
    "relu": lambda x: F.relu(x).flatten(1),
    "method relu": lambda x: x.relu().flatten(1),
    "gelu": lambda x: F.gelu(x, approximate="tanh").flatten(1),
    "silu": lambda x: F.silu(x).flatten(1),
    "hardswish": lambda x: F.hardswish(x).flatten(1),
    "leaky relu": lambda x: F.leaky_relu(x, 0.2).flatten(1),
    "sigmoid": lambda x: torch.sigmoid(x).flatten(1),
    "tanh": lambda x: torch.tanh(x).flatten(1),
    "addition": lambda x: (x + F.relu(x)).flatten(1),
    "in place": lambda x: torch.flatten(x.mul(torch.sigmoid(x)), 1),
    "dropout": lambda x: F.dropout(x, 0.5, training=False).flatten(1),
    "view by size": lambda x: x.view(x.size(0), -1),
    "view by number": lambda x: x.contiguous().view(-1, 256),
    "reshape": lambda x: x.reshape(x.shape[0], 256),
    "chunk": lambda x: swapped(x.chunk(2, dim=1)).flatten(1),
    "split": lambda x: swapped(torch.split(x, [1, 3], 1)).flatten(1),
    "shuffle": lambda x: (
        x.view(x.shape[0], 2, 2, 8, 8).transpose(1, 2).reshape(x.shape[0], 4, 8, 8).flatten(1)
    ),
}
POOLED = {
    "mean": lambda x: x.mean([2, 3]),
    "mean of the last dimensions": lambda x: x.mean((-1, -2), keepdim=True).flatten(1),
    "adaptive": lambda x: F.adaptive_avg_pool2d(x, 1).flatten(1),
    "squeeze": lambda x: F.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1),
    "max": lambda x: F.max_pool2d(x, 8).flatten(1),
    "average": lambda x: F.avg_pool2d(x, 8).flatten(1),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_become_modules(name):
    check_same_logits(Functional(FUNCTIONS[name], 256))


def test_padding_by_name_becomes_numbers():
    same = nn.Conv2d(3, 4, (3, 5), padding="same", dilation=2)
    model = nn.Sequential(same, nn.Conv2d(4, 2, 3, padding="valid"), nn.Flatten())
    check_same_logits(model)
    network = translate(model, SHAPE)
    assert network.get_submodule("0").padding == (2, 4)
    assert model[0].padding == "same"


@pytest.mark.parametrize("name", POOLED)
def test_poolings_become_modules(name):
    check_same_logits(Functional(POOLED[name], 4))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_networks_of_the_registry_are_translated_as_all_others(name):
    model = build(name, channels=1, size=28).eval()
    x = torch.rand(3, 1, 28, 28)
    assert torch.equal(translate(model, (1, 28, 28))(x), model(x))


class SharedActivation(nn.Module):
    """The same ReLU object in two places, as in many networks of others."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)
        self.relu = nn.ReLU()
        self.last = nn.Linear(64, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.first(x))
        return self.last(self.relu(self.second(x)).flatten(1))


def test_a_module_without_parameters_can_be_used_twice():
    model = SharedActivation()
    check_same_logits(model)
    names = [step.name for step in translate(model, SHAPE).steps]
    assert names == ["first", "relu", "second", "relu_1", "flatten", "last"]


class SharedWeights(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, 3, 1), nn.Linear(192, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.conv(self.conv(x)).flatten(1))


class Condition(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(192, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.sum() > 0:
            x = -x
        return self.last(x.flatten(1))


class Permuted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = Functional(lambda x: x.permute(0, 2, 3, 1).flatten(1), 256)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.block(x)


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale, self.last = nn.Parameter(torch.ones(3, 1, 1)), nn.Linear(192, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last((x * self.scale).flatten(1))


class Standardised(nn.Conv2d):
    """A convolution with another forward, as of weight standardisation."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(x, self.weight - self.weight.mean(), self.bias)


def weighted(x: torch.Tensor) -> torch.Tensor:
    return torch.add(x, F.relu(x), alpha=0.5).flatten(1)


class Reserved(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.Sequential(nn.Flatten(), nn.Linear(192, 5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.steps(x)


PARAMETRIZED = nn.Sequential(weight_norm(nn.Conv2d(3, 4, 3)), nn.Flatten())

REFUSED = [
    (nn.Sequential(Standardised(3, 4, 3), nn.Flatten()), "cannot be"),
    (PARAMETRIZED, "ParametrizedConv2d, in .*, cannot be pruned"),
    (Functional(weighted, 256), "give other logits than its forward"),
    (Functional(lambda x: F.dropout(x).flatten(1), 256), "give other logits than its forward"),
    (Reserved(), "has another meaning: rename the module"),
    (nn.Flatten(), "the network has no parameters"),
    (SharedWeights(), "conv is used twice: layers that share their weights"),
    (Condition(), "depend on the values of its tensors"),
    (Permuted(), "permute, in block, cannot be pruned"),
    (Scaled(), "mul with a number or a parameter"),
    (Functional(lambda x: F.relu(x + 1).flatten(1), 256), "add with a number or a parameter"),
    (Functional(lambda x: x.flatten(1), 9), r"does not accept images of shape \(3, 8, 8\)"),
    (nn.Sequential(nn.Conv2d(3, 4, 1)), r"returns \(2, 4, 8, 8\), not one tensor of logits"),
    (
        nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.Softmax(1)),
        "Softmax, .* return the logits",
    ),
    (nn.Sequential(nn.ConvTranspose2d(3, 4, 2), nn.Flatten()), "ConvTranspose2d, in .*, cannot"),
    (nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"), nn.Flatten()), "reflect"),
    (
        nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False), nn.Flatten()),
        "no running statistics",
    ),
]


@pytest.mark.parametrize("model, message", REFUSED, ids=[message for _, message in REFUSED])
def test_everything_else_is_refused_by_a_sentence(model, message):
    model.eval()
    with pytest.raises(UnsupportedNetworkError, match=message):
        translate(model, SHAPE)


def test_activations_in_place_do_not_change_what_others_read():
    model = nn.Sequential(nn.SiLU(inplace=True), nn.Flatten(), nn.Linear(192, 5)).eval()
    network = translate(model, SHAPE)
    x = torch.rand(2, *SHAPE)
    before = x.clone()
    network(x)
    assert torch.equal(x, before) and model[0].inplace


def test_the_model_is_not_modified():
    model = SharedActivation().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    translate(model, SHAPE)
    assert model.training and all(module.training for module in model.modules())
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_forwards_in_other_threads_are_not_traced():
    model = build("lenet5", channels=1, size=28)  # the copy that is traced shares its parameters
    images = torch.rand(2, 1, 28, 28)
    expected = model(images)
    is_translated = threading.Event()

    def translate_often() -> None:
        for _ in range(20):
            translate(build("resnet20", channels=3, size=32), (3, 32, 32))
            translate(model, (1, 28, 28))
        is_translated.set()

    with ThreadPoolExecutor(1) as pool:
        translations = pool.submit(translate_often)
        while not is_translated.is_set() and not translations.done():
            assert torch.equal(model(images), expected)
        translations.result()


def test_networks_are_translated_in_many_threads():
    call, get_attribute = nn.Module.__call__, nn.Module.__getattr__
    models = [build("lenet5", channels=1, size=28) for _ in range(30)]

    def steps_of(model: nn.Module) -> list[str]:
        return [step.name for step in translate(model, (1, 28, 28)).steps]

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(steps_of, models))
    assert all(steps == found[0] for steps in found)
    assert nn.Module.__call__ is call
    assert nn.Module.__getattr__ is get_attribute
