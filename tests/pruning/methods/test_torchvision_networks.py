"""Networks of torchvision with random weights: masked equals removed, counts, export, a peer."""

import copy
import warnings
from functools import lru_cache

import pytest
import torch
import torch_pruning
import torchvision
from torch import nn

from pruning.inference.prefix_cache import forward
from pruning.methods.connectivity import connected_network
from pruning.methods.masks import Masks
from pruning.methods.removal import remove
from pruning.methods.units import METHODS, groups
from pruning.models import prunable
from pruning.models.channel_groups import ChannelGroup, channel_groups
from pruning.models.graph import UnsupportedNetworkError, translate
from pruning.models.graph_network import GraphNetwork

SIZES = {
    "vgg11_bn": 32,
    "resnet18": 64,
    "resnet50": 64,
    "mobilenet_v2": 64,
    "mobilenet_v3_small": 64,
    "efficientnet_b0": 64,
    "densenet121": 64,
    "squeezenet1_1": 64,
    "googlenet": 64,
    "shufflenet_v2_x1_0": 64,
    "regnet_y_400mf": 64,
    "alexnet": 64,
    "inception_v3": 96,
}
QUICK = ("resnet18", "mobilenet_v3_small")
NAMES = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in SIZES]
METHODS_OF_UNITS = [("filter", "inside", 0.5), ("filter", "across", 0.5), ("weight", "", 0.97)]


def build(name: str) -> nn.Module:
    """A network whose batch norms and biases are as different as after training."""
    torch.manual_seed(0)
    more = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model = torchvision.models.get_model(name, weights=None, num_classes=10, **more)
    if name == "vgg11_bn":
        model.classifier = nn.Sequential(
            *(nn.Linear(512 * 49, 256), nn.ReLU(), nn.Dropout()),
            *(nn.Linear(256, 256), nn.ReLU(), nn.Dropout(), nn.Linear(256, 10)),
        )  # as its own, with fewer than 4,096 neurons
    model.eval().requires_grad_(False)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.uniform_(0.5, 1.5)
            module.bias.normal_(0, 0.3)
        elif isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            module.bias.normal_(0, 0.1)
    return model


@lru_cache(maxsize=3)
def translated(name: str) -> GraphNetwork:
    return translate(build(name), (3, SIZES[name], SIZES[name]))


def random_masks(model: GraphNetwork, method: str, grouping: str, share: float) -> Masks:
    masks = Masks({})
    for group in groups(model, method, grouping, *model.shape[:2]).values():
        removed = torch.rand(group.units) < share
        removed[0] = False
        masks &= METHODS[method].masks_for(model, group, removed)
    return masks


def images(name: str) -> torch.Tensor:
    return torch.rand(2, 3, SIZES[name], SIZES[name])


@pytest.mark.parametrize("name", NAMES)
def test_the_translated_network_gives_the_same_logits(name):
    x = images(name)
    expected = build(name)(x)
    torch.testing.assert_close(translated(name)(x), expected)
    largest = float(expected.abs().max())
    torch.testing.assert_close(
        forward(translated(name), {})(x), expected, atol=1e-4 * largest, rtol=0
    )


def walk(model: nn.Module, x: torch.Tensor) -> tuple[int, int]:
    """Parameters, and MACs counted by the shapes that a forward pass shows."""
    macs = []

    def count(layer, inputs, output):
        fan_in = inputs[0].shape[1]
        if isinstance(layer, nn.Conv2d):
            fan_in = fan_in // layer.groups * layer.kernel_size[0] * layer.kernel_size[1]
        macs.append(fan_in * output[0].numel())

    model = copy.deepcopy(model)
    for layer in prunable(model).values():
        layer.register_forward_hook(count)
    model(x[:1])
    return sum(parameter.numel() for parameter in model.parameters()), sum(macs)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method, grouping, share", METHODS_OF_UNITS)
def test_the_removed_network_gives_the_logits_of_the_masked_one(name, method, grouping, share):
    model = translated(name)
    torch.manual_seed(1)
    parameters = random_masks(model, method, grouping, share).apply(model)
    x = images(name)
    masked = forward(model, parameters)(x)
    size = SIZES[name]
    smaller = remove(model, parameters, 3, size)
    scale = max(1.0, float(masked.abs().max()))
    torch.testing.assert_close(smaller(x), masked, atol=1e-4 * scale, rtol=0)
    parameters_left, macs_left = walk(smaller, x)
    assert macs_left <= walk(model, x)[1]
    effective = connected_network(model, parameters, 3, size)
    nonzero = sum(int(parameter.count_nonzero()) for parameter in smaller.parameters())
    assert nonzero == effective.parameters
    if method == "filter":
        assert parameters_left == pytest.approx(nonzero, rel=1e-6)  # a random weight can be zero


@pytest.mark.parametrize("name", NAMES)
def test_the_removed_network_can_be_exported(name):
    model = translated(name)
    torch.manual_seed(1)
    parameters = random_masks(model, "filter", "across", 0.5).apply(model)
    smaller = remove(model, parameters, 3, SIZES[name])
    x = images(name)
    program = torch.export.export(smaller, (x,))
    torch.testing.assert_close(program.module()(x), smaller(x))


def ours(group: ChannelGroup) -> dict[str, set[int]]:
    """Output channels of each layer that the first unit of a group removes."""
    removed = {}
    for name in (*group.producers, *group.depthwise):
        removed[name] = set(group.rows[name][0].tolist())
    return removed


def theirs(model: nn.Module, x: torch.Tensor, group: ChannelGroup) -> dict[str, set[int]]:
    """The same, as Torch-Pruning finds it from the first layer."""
    model.requires_grad_()  # it follows the graph of the gradients
    graph = torch_pruning.DependencyGraph().build_dependency(model, x)
    name = group.producers[0]
    layer = model.get_submodule(name)
    prune = torch_pruning.prune_linear_out_channels
    if isinstance(layer, nn.Conv2d):
        prune = torch_pruning.prune_conv_out_channels
    names = {module: name for name, module in model.named_modules()}
    removed: dict[str, set[int]] = {}
    for dependency, indices in graph.get_pruning_group(layer, prune, [0]):
        is_layer = isinstance(dependency.target.module, nn.Conv2d | nn.Linear)
        if is_layer and graph.is_out_channel_pruning_fn(dependency.handler):
            removed.setdefault(names[dependency.target.module], set()).update(indices)
    return removed


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SIZES if name != "shufflenet_v2_x1_0"])
def test_the_groups_are_those_of_torch_pruning(name):
    model, x = build(name), images(name)
    size = SIZES[name]
    hidden = []
    for group in channel_groups(model, 3, size):
        # Torch-Pruning ties the parts of a grouped convolution only while it prunes.
        is_one_channel = all(group.rows[layer].shape[1] == 1 for layer in group.producers)
        if group.can_be_removed and is_one_channel:
            hidden.append(group)
    for group in hidden[:: max(1, len(hidden) // 8)]:
        assert ours(group) == theirs(model, x, group)


def test_what_cannot_be_pruned_is_refused_by_name():
    torch.manual_seed(0)
    model = torchvision.models.convnext_tiny(weights=None, num_classes=10)
    with pytest.raises(UnsupportedNetworkError, match=r"permute, in features\.0\.1, cannot"):
        translate(model, (3, 64, 64))
