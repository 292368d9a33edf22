"""Removed networks compute what masked ones do, and are counted as they are."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from pruning.cost import file_size as storage
from pruning.cost.latency import latencies, peak_activations
from pruning.cost.macs import measure_cost
from pruning.cost.report import ledger, small
from pruning.engine import prune as experiment
from pruning.methods.removal import remove
from pruning.methods.units import METHODS, groupings_for
from pruning.models import build, checkpoints
from pruning.recipe.recipe import Recipe, Step

NETWORKS = [network for network, dataset in checkpoints.shipped() if dataset == "digits"]
CRITERION = {
    "weight": "magnitude",
    "neuron": "random",
    "filter": "magnitude",
    "layer": "magnitude",
    "feature": "random",
}
X = torch.randn(16, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def differences(recipe: Recipe) -> tuple[float, float]:
    """Masked against removed, in float32 and float64."""
    found, state = [], experiment.pruned(recipe)
    kept = state.masks.get("input", torch.ones(1, 1, 1, dtype=torch.bool))
    for dtype in (torch.float32, torch.float64):
        masked, model = state.copy().to(dtype), copy.deepcopy(state.model).to(dtype)
        parameters = {
            name: value.to(dtype) for name, value in state.masks.apply(state.model).items()
        }
        x = X.to(dtype)
        found.append(float((masked(x * kept) - remove(model, parameters, 1, 28)(x)).abs().max()))
    return tuple(found)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=8)
@given(
    share=st.sampled_from([0.0, 0.1, 0.5, 0.9, 0.97, 0.995, 1.0]),
    scope=st.sampled_from(["global", "layer"]),
    data=st.data(),
)
def test_the_smaller_network_gives_the_masked_ones_logits(network, method, share, scope, data):
    grouping = data.draw(st.sampled_from(groupings_for(network, method) or [""]))
    single, double = differences(
        Recipe(
            network,
            "digits",
            method=method,
            grouping=grouping,
            criterion=CRITERION[method],
            value=share,
            scope=scope,
            calibration=64,
        )
    )
    assert single < 1e-4 and double < 1e-9


@pytest.mark.parametrize("network", NETWORKS)
def test_after_several_steps_too(network):
    steps = (
        Step(method="layer", value=0.4),
        Step(method="filter", value=0.5, scope="layer"),
        Step(value=0.9, scope="layer"),
        Step(method="feature", criterion="random", value=0.5),
    )
    recipe = Recipe(network, "digits", calibration=64).with_steps(steps)
    single, double = differences(recipe)
    assert single < 1e-4 and double < 1e-9
    assert sum(p.numel() for p in small(recipe).parameters()) < sum(
        p.numel() for p in experiment.model(recipe).parameters()
    )


def test_a_masked_pixel_stays_unseen_though_weights_still_read_it():
    steps = (
        Step(method="feature", criterion="random", value=1.0),
        Step(criterion="random", value=0.996, layers=("fc1",)),
    )
    single, double = differences(Recipe("lenet300", "digits").with_steps(steps))
    assert single < 1e-6 and double < 1e-12


def test_nothing_is_left_that_makes_no_difference():
    for value in (0.99, 0.998):
        model = small(Recipe("lenet300", "digits", value=value))
        for name in ("fc1", "fc2", "fc3"):
            weight = model.get_submodule(name).weight
            assert weight.ne(0).any(0).all(), "an input that nobody reads"
            assert name == "fc3" or weight.ne(0).any(1).all(), "a neuron that reads nothing"


def walk(model: nn.Module, size: int = 28, channels: int = 1) -> tuple[int, int]:
    """Parameters and MACs by an independent walk over the built network."""
    macs = []

    def see(layer, inputs, output):
        if isinstance(layer, nn.Conv2d):
            k = layer.kernel_size[0] * layer.kernel_size[1]
            macs.append(
                inputs[0].shape[1] * k * output.shape[1] * output.shape[2] * output.shape[3]
            )
        else:
            macs.append(inputs[0].shape[1] * output.shape[1])

    model = copy.deepcopy(model)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(see)
    model(torch.zeros(1, channels, size, size))
    return sum(p.numel() for p in model.parameters()), sum(macs)


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe("lenet5-caffe", "digits", method="filter", scope="layer", value=0.7),
        Recipe("resnet20", "digits", method="filter", grouping="across", scope="layer", value=0.3),
        Recipe("lenet300", "digits", method="feature", criterion="random", value=0.5),
        Recipe("lenet5", "digits", method="layer", criterion="random", value=0.7),
        Recipe("resnet20", "digits", method="layer", value=1.0),
        Recipe("lenet5", "digits", value=0.97),
    ],
    ids=lambda r: f"{r.network}-{r.method}",
)
def test_counts_are_those_of_an_independent_walk(recipe):
    found = ledger(recipe, seconds=0.0)
    assert walk(small(recipe)) == (found.removed.parameters, found.removed.macs)
    assert (found.dense.parameters, found.dense.macs) == walk(experiment.model(recipe))
    assert found.agrees and found.removed.parameters < found.dense.parameters
    assert {
        len(e.latency) if e.latency else 0 for e in (found.dense, found.masked, found.removed)
    } == {2, 0}
    assert found.table().shape == (8, 4) and all(isinstance(text, str) for text in found.remarks)


def test_counts_by_hand():
    recipe = Recipe(
        "lenet5-caffe", "digits", method="filter", criterion="random", scope="layer", value=0.7
    )
    model = small(recipe)
    assert [
        tuple(layer.weight.shape) for layer in (model.conv1, model.conv2, model.fc1, model.fc2)
    ] == [(6, 1, 5, 5), (15, 6, 5, 5), (150, 15 * 16), (10, 150)]
    tied = small(
        Recipe(
            "resnet20",
            "digits",
            method="filter",
            grouping="across",
            criterion="random",
            scope="layer",
            value=0.5,
        )
    )
    assert tied.conv1.weight.shape[0] == 8 and tied.block2_0.shortcut.conv.weight.shape[:2] == (
        16,
        8,
    )
    assert tied.block3_2.bn2.num_features == 32 and tied.fc.weight.shape == (10, 32)


def test_weight_masks_that_empty_a_unit_free_it_and_its_constant_lives_on_in_the_bias():
    step = Step(scope="custom", value=0.0, values=(("fc1", 1.0),))
    recipe = Recipe("lenet300", "digits").with_steps((step,))
    model = small(recipe)
    # nothing depends on the image any more: what was said goes from bias to bias up to the classifier
    assert model.fc1.weight.shape == model.fc2.weight.shape == (
        1,
        1,
    ) and model.fc3.weight.shape == (10, 1)
    assert max(differences(recipe)) < 1e-4
    assert not torch.equal(model.fc3.bias, experiment.model(recipe).fc3.bias)


def test_blocks_are_taken_out_whole():
    model = small(Recipe("resnet20", "digits", method="layer", value=1.0))
    assert sum(isinstance(m, nn.Conv2d) for m in model.modules()) == 1 + 2 * 3
    assert not any(
        name.startswith("block1") and isinstance(m, nn.Conv2d) for name, m in model.named_modules()
    )


def test_another_network_needs_no_rule_of_its_own():
    torch.manual_seed(0)
    model = nn.Sequential()
    for name, stage in {
        "a": nn.Conv2d(3, 8, 3),
        "na": nn.BatchNorm2d(8),
        "ra": nn.ReLU(),
        "b": nn.Conv2d(8, 6, 3, bias=False),
        "rb": nn.ReLU(),
        "p": nn.AdaptiveAvgPool2d(2),
        "f": nn.Flatten(),
        "c": nn.Linear(24, 5),
        "rc": nn.ReLU(),
        "d": nn.Linear(5, 4),
    }.items():
        model.add_module(name, stage)
    model.eval().requires_grad_(False)
    gone = torch.tensor([True, False] * 4)
    masked = {
        f"a.{key}": model.get_submodule("a").get_parameter(key).clone()
        for key in ("weight", "bias")
    }
    masked |= {
        f"na.{key}": model.get_submodule("na").get_parameter(key).clone()
        for key in ("weight", "bias")
    }
    for value in masked.values():
        value[gone] = 0
    lighter = remove(model, masked, 3, 12)
    assert lighter.a.weight.shape[0] == 4 and lighter.b.weight.shape[1] == 4
    model.load_state_dict(masked, strict=False)
    x = torch.randn(4, 3, 12, 12)
    torch.testing.assert_close(lighter(x), model(x))


def test_a_constant_without_a_relu_is_taken_over_with_its_sign():
    torch.manual_seed(0)
    model = (
        nn.Sequential(nn.Flatten(), nn.Linear(16, 4), nn.Linear(4, 3)).eval().requires_grad_(False)
    )
    weight, bias = model[1].weight.clone(), torch.tensor([-2.0, -1.0, 0.5, 1.0])
    weight[:2] = 0  # what these say is negative, and no ReLU stops it
    masked = {"1.weight": weight, "1.bias": bias}
    lighter = remove(model, masked, 1, 4)
    model.load_state_dict(masked, strict=False)
    x = torch.randn(5, 1, 4, 4)
    assert sum(p.numel() for p in lighter.parameters()) < sum(p.numel() for p in model.parameters())
    torch.testing.assert_close(lighter(x), model(x))


@pytest.mark.parametrize("encoding", ["csr", "bitmap", "gzip"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99, 1.0])
def test_what_is_counted_can_be_read_again(encoding, share):
    state = experiment.pruned(Recipe("lenet5", "digits", value=share)).copy().state_dict()
    content = storage.encoded(state, encoding)
    again = storage.decoded(content, encoding, state)
    assert set(again) == set(state) and all(torch.equal(again[name], state[name]) for name in state)
    assert storage.encodings(state)[encoding] == len(content)


def test_sparse_files_are_smaller_where_they_should_be():
    few = experiment.pruned(Recipe("lenet300", "digits", value=0.98)).copy().state_dict()
    sizes, whole = storage.encodings(few), storage.safetensors_size(few)
    assert (
        whole > 4 * 266_610
        and sizes["bitmap"] < 4 * 0.02 * 266_200 + 266_200 / 8 + 5_000 < whole / 10
    )
    assert sizes["csr"] < 0.02 * 266_200 * 6 + 5_000


def test_latencies_are_measured_in_turns():
    order = []

    class Noted(nn.Module):
        def __init__(self, name):
            super().__init__()
            self.name = name

        def forward(self, x):
            order.append(self.name)
            return x

    found = latencies({"a": Noted("a"), "b": Noted("b")}, 1, 28, 2, seconds=0.0, least=15)
    assert (
        order == ["a", "b"] * 16
        and found["a"].runs == 15
        and found["a"].low <= found["a"].median <= found["a"].high
    )


def test_peak_activations_by_hand():
    assert peak_activations(build("lenet300", channels=1, size=28), 1, 28) == 4 * (
        784 + 300
    )  # flattening is a view
    assert peak_activations(build("lenet5", channels=1, size=28), 1, 28) == 4 * (
        6 * 28 * 28 + 6 * 14 * 14
    )
    # the first block's second step: input, output and what waits for the addition
    assert peak_activations(build("resnet20", channels=1, size=28), 1, 28) == 4 * 3 * 16 * 28 * 28
    # without blocks: the stem's input and output; with a projection: the block's input, own path and shortcut
    assert (
        peak_activations(small(Recipe("resnet20", "digits", method="layer", value=1.0)), 1, 28)
        == 4 * 2 * 16 * 28 * 28
    )


def test_the_shared_networks_stay_as_they_are():
    recipe = Recipe("lenet5", "digits", method="filter", value=0.5, scope="layer")
    before = {name: value.clone() for name, value in experiment.model(recipe).state_dict().items()}
    ledger(recipe, seconds=0.0)
    assert all(
        torch.equal(before[name], value)
        for name, value in experiment.model(recipe).state_dict().items()
    )
    assert not any(module._forward_hooks for module in small(recipe).modules())
    assert measure_cost(small(recipe), "digits").macs < 416_520
