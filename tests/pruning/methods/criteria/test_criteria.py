"""Criteria: against closed forms, loops over images, finite differences, numpy and torch.nn.utils.prune."""

import copy
import itertools
import math
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune

from pruning.data import datasets
from pruning.data.datasets import DATASETS, normalise
from pruning.engine import prune as experiment
from pruning.methods.criteria import CRITERIA, Context
from pruning.methods.ranking import Ranking
from pruning.methods.refit import least_squares, without
from pruning.methods.rules import RULES, erk
from pruning.methods.units import METHODS, UnitGroup, groups
from pruning.models import build, checkpoints, prunable
from pruning.models.resnet import ResidualBlock
from pruning.recipe.recipe import Recipe, criteria_for

LN2, LN3 = math.log(2), math.log(3)


@dataclass(frozen=True, eq=False)
class Given(Context):
    """A context with images and labels of its own, in batches of two."""

    images: torch.Tensor = torch.empty(0)
    labels: torch.Tensor = torch.empty(0)
    classes: int = 10

    def batches(self, size: int = 128):
        yield from zip(self.images.clone().split(2), self.labels.split(2))


def grouped(model, method, x, grouping=""):
    grouping = grouping or next(iter(METHODS[method].groupings), "")
    return groups(copy.deepcopy(model).float(), method, grouping, x.shape[1], x.shape[2])


def scores(criterion, model, method, x, y, grouping="", measure="", only=None, seed=0):
    found = only or grouped(model, method, x, grouping)
    measure = measure or next(iter(CRITERIA[criterion].variants), "")
    context = Given(
        copy.deepcopy(model),
        found,
        method,
        "digits",
        len(x),
        seed,
        measure,
        images=x,
        labels=y,
        classes=model(x).shape[1],
    )
    return CRITERIA[criterion].function(context)


def frozen(seed=0, **stages) -> nn.Sequential:
    """In float64 and eval mode; all parameters and batch-norm statistics random."""
    model, generator = (
        nn.Sequential(OrderedDict(stages)).double().eval().requires_grad_(False),
        torch.Generator(),
    )
    generator.manual_seed(seed)
    for p in model.parameters():
        p.copy_(
            torch.randn(p.shape, generator=generator) * (0.6 if p.ndim > 1 else 0.3) + (p.ndim == 1)
        )
    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.copy_(torch.randn(m.num_features, generator=generator))
            m.running_var.copy_(torch.rand(m.num_features, generator=generator) + 0.5)
    return model


def residual() -> nn.Sequential:
    """Strides, paddings, batch norms, both kinds of shortcut; images 1x6x6."""
    return frozen(
        conv1=nn.Conv2d(1, 2, 3, stride=2, padding=1, bias=False),
        bn1=nn.BatchNorm2d(2),
        relu1=nn.ReLU(),
        block=ResidualBlock(2, 2, 1),
        last=ResidualBlock(2, 3, 2),
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        fc=nn.Linear(3, 3),
    )


def pooled() -> nn.Sequential:
    """A LeNet in small, with biases; images 1x6x6."""
    return frozen(
        conv1=nn.Conv2d(1, 3, 3, padding=1),
        pool1=nn.MaxPool2d(2),
        relu1=nn.ReLU(),
        conv2=nn.Conv2d(3, 4, 3, padding=1),
        relu2=nn.ReLU(),
        flatten=nn.Flatten(),
        fc1=nn.Linear(36, 5),
        relu3=nn.ReLU(),
        fc2=nn.Linear(5, 3),
    )


SMALL = {"residual": residual, "pooled": pooled}
# Where the channels of the small networks are switched off, and where they are seen, by the name of their group.
SWITCHES = {
    "residual": {
        "conv1": ["bn1", "block.bn2"],
        "block.conv1": ["block.bn1"],
        "last.conv1": ["last.bn1"],
        "last.conv2": ["last.bn2", "last.shortcut.bn"],
    },
    "pooled": {"conv1": ["conv1"], "conv2": ["conv2"], "fc1": ["fc1"]},
}
SEEN = {
    "residual": {
        "conv1": ["relu1", "block.relu2"],
        "block.conv1": ["block.relu1"],
        "last.conv1": ["last.relu1"],
        "last.conv2": ["last.relu2"],
    },
    "pooled": {"conv1": ["relu1"], "conv2": ["relu2"], "fc1": ["relu3"]},
}
GROUPING = {"residual": "across", "pooled": "inside"}


def images(count=5, channels=1, size=6, classes=3, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(count, channels, size, size, generator=generator, dtype=torch.float64),
        torch.randint(classes, (count,), generator=generator),
    )


def loss(model, x, y) -> float:
    return float(F.cross_entropy(model(x), y))


def digits(count) -> tuple[torch.Tensor, torch.Tensor]:
    some = datasets.calibration("digits", count)
    return normalise(some.pixels, DATASETS["digits"]), some.labels


# ------------------------------------------------------------------------------------------------------- closed forms


def by_hand(weights, last) -> nn.Sequential:
    """3 inputs, 2 hidden units, 2 classes, no biases."""
    model = frozen(flatten=nn.Flatten(), fc1=nn.Linear(3, 2), relu1=nn.ReLU(), fc2=nn.Linear(2, 2))
    for layer, values in ((model.fc1, weights), (model.fc2, last)):
        layer.weight.copy_(torch.tensor(values))
        layer.bias.zero_()
    return model


# Hidden: (3, 0) and (0, 2); logits: (ln 3, 0) and (0, ln 3); both images are of class 0.
HAND = by_hand([[1.0, -2, 2], [-1, 1, 0]], [[LN3 / 3, 0], [0, LN3 / 2]])
HAND_X, HAND_Y = (
    torch.tensor([[1.0, 0, 1], [0, 2, 1]]).double().view(2, 3, 1, 1),
    torch.tensor([0, 0]),
)


@pytest.mark.parametrize(
    "criterion, method, measure, expected",
    [
        ("magnitude", "weight", "", [[1, 2, 2], [1, 1, 0]]),
        ("magnitude", "filter", "l1", [5, 2]),
        ("magnitude", "filter", "l2", [3, math.sqrt(2)]),
        ("magnitude", "layer", "l1", [7]),
        ("magnitude", "layer", "l2", [math.sqrt(11)]),
        ("lamp", "weight", "", [[1 / 11, 4 / 8, 4 / 8], [1 / 11, 1 / 11, 0]]),
        ("fpgm", "filter", "", [math.sqrt(17), math.sqrt(17)]),
        ("wanda", "weight", "", [[0, 2 / 3, 1 / 3], [1 / 3, 2 / 3, 0]]),  # of 1, 4, 2.8 and 1, 2, 0
        ("gradient", "weight", "", [[LN3 / 24, 0, LN3 / 24], [0, 3 * LN3 / 8, 3 * LN3 / 16]]),
        ("gradient", "filter", "", [LN3 / 12, 9 * LN3 / 16]),
        ("gradient", "neuron", "", [LN3 / 6, LN3 / 4]),
        ("gradient", "layer", "", [LN3 / 12 + 9 * LN3 / 16]),
        ("taylor", "weight", "", [[LN3 / 24, 0, LN3 / 12], [0, 3 * LN3 / 8, 0]]),
        ("taylor", "filter", "", [LN3 / 8, 3 * LN3 / 8]),
        ("taylor", "neuron", "", [LN3 / 8, 3 * LN3 / 8]),
        ("taylor", "layer", "", [LN3 / 4]),  # -1/8 + 3/8
        ("fisher", "weight", "", [[LN3**2 / 576, 0, LN3**2 / 144], [0, 9 * LN3**2 / 64, 0]]),
        ("loss_change", "neuron", "", [math.log(1.5) / 2, -LN2 / 2]),
        ("loss_change", "filter", "", [math.log(1.5) / 2, -LN2 / 2]),
    ],
)
def test_a_linear_layer_by_hand(criterion, method, measure, expected):
    found = scores(criterion, HAND, method, HAND_X, HAND_Y, measure=measure)[
        "layers" if method == "layer" else "fc1"
    ]
    np.testing.assert_allclose(found.flatten(), np.ravel(expected), rtol=1e-6, atol=1e-7)


# Hidden: 0, 1, 1, 2 and 0, 0, 0, 3, on two images of class 0 and two of class 1.
SEEN_NET = by_hand([[1.0, 0, 0], [0, 1, -1]], [[1.0, 0], [0, 1]])
SEEN_X = torch.tensor([[0.0, 0, 1], [1, 1, 1], [1, 0, 2], [2, 4, 1]]).double().view(4, 3, 1, 1)


@pytest.mark.parametrize(
    "criterion, measure, expected",
    [
        ("activation", "mean", [1, 3 / 4]),
        ("activation", "max", [2, 3]),
        ("activation", "l2", [math.sqrt(6), 3]),
        ("apoz", "", [3 / 4, 1 / 4]),
        ("activation_entropy", "", [1.5 * LN2, 2 * LN2 - 0.75 * LN3]),  # 1/4, 1/2, 1/4 and 3/4, 1/4
        ("class_entropy", "entropy", [LN2 - (LN3 - 2 / 3 * LN2), LN2]),  # 1/3, 2/3 and 0, 1
        ("class_entropy", "gini", [5 / 9 - 1 / 2, 1 / 2]),
    ],
)
@pytest.mark.parametrize("method", ["neuron", "filter"])
def test_what_units_do_by_hand(criterion, measure, expected, method):
    found = scores(
        criterion, SEEN_NET, method, SEEN_X, torch.tensor([0, 0, 1, 1]), measure=measure
    )["fc1"]
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-12)


def test_a_batch_norms_scale_is_its_absolute_value_and_of_tied_filters_the_mean():
    model, (x, y) = residual(), images()
    model.bn1.weight.copy_(torch.tensor([-0.5, 2]))
    model.block.bn2.weight.copy_(torch.tensor([1.5, -1]))
    model.block.bn1.weight.copy_(torch.tensor([0, -3]))
    assert scores("bn_scale", model, "filter", x, y, "across")["conv1"].tolist() == [1, 1.5]
    inside = scores("bn_scale", model, "filter", x, y, "inside")
    assert list(inside) == ["block.conv1", "last.conv1"] and inside["block.conv1"].tolist() == [
        0,
        3,
    ]


def test_tied_filters_are_one_vector_over_all_their_layers():
    model, (x, y) = residual(), images()
    tied = torch.cat(
        [model.conv1.weight.flatten(1), model.block.conv2.weight.flatten(1)], 1
    ).numpy()
    for measure, order in (("l1", 1), ("l2", 2)):
        found = scores("magnitude", model, "filter", x, y, "across", measure)["conv1"]
        np.testing.assert_allclose(found, np.linalg.norm(tied, order, axis=1))
    np.testing.assert_allclose(
        scores("fpgm", model, "filter", x, y, "across")["conv1"],
        [np.linalg.norm(tied[0] - tied[1])] * 2,
    )


# ---------------------------------------------------------------------------------------- finite differences, float64

STEP = 1e-5


@pytest.mark.parametrize("network", SMALL)
def test_gradient_and_taylor_of_weights_are_finite_differences(network):
    model, (x, y) = SMALL[network](), images()
    gradient, taylor = (scores(name, model, "weight", x, y) for name in ("gradient", "taylor"))
    assert list(gradient) == list(taylor) == list(prunable(model))
    for name, layer in prunable(model).items():
        for place in itertools.product(*map(range, layer.weight.shape)):
            value, ends = float(layer.weight[place]), []
            for step in (STEP, -STEP):
                layer.weight[place] = value + step
                ends.append(loss(model, x, y))
            layer.weight[place] = value
            slope = (ends[0] - ends[1]) / (2 * STEP)
            assert float(gradient[name][place]) == pytest.approx(abs(slope), rel=1e-5, abs=1e-8)
            assert float(taylor[name][place]) == pytest.approx(
                abs(value * slope), rel=1e-5, abs=1e-8
            )


def slope_at(model, places, unit, x, y, change) -> float:
    """dL/ds at s = 0, where ``change(values, s)`` is done to the unit's values at all places."""

    def hook(s):
        def changed(_, __, output):
            output = output.clone()
            output[:, unit] = change(output[:, unit], s)
            return output

        return changed

    ends = []
    for step in (STEP, -STEP):
        hooks = [model.get_submodule(place).register_forward_hook(hook(step)) for place in places]
        ends.append(loss(model, x, y))
        for handle in hooks:
            handle.remove()
    return (ends[0] - ends[1]) / (2 * STEP)


@pytest.mark.parametrize("network", SMALL)
def test_gradient_and_taylor_of_channels_are_finite_differences(network):
    model, (x, y) = SMALL[network](), images()
    gradient = scores("gradient", model, "neuron", x, y, GROUPING[network])
    taylor = {
        method: scores("taylor", model, method, x, y, GROUPING[network])
        for method in ("neuron", "filter")
    }
    assert set(gradient) == set(SEEN[network])
    for name, found in gradient.items():
        for unit, score in enumerate(found.tolist()):
            added = slope_at(model, SEEN[network][name], unit, x, y, lambda a, s: a + s)
            scaled = slope_at(model, SWITCHES[network][name], unit, x, y, lambda a, s: a * (1 + s))
            assert score == pytest.approx(abs(added), rel=1e-5, abs=1e-8)
            for method in taylor:
                assert float(taylor[method][name][unit]) == pytest.approx(
                    abs(scaled), rel=1e-5, abs=1e-8
                )


def test_taylor_of_a_block_is_the_slope_of_its_own_path():
    model, (x, y) = residual(), images()
    slope = slope_at(model, ["block.bn2"], slice(None), x, y, lambda a, s: a * (1 + s))
    assert scores("taylor", model, "layer", x, y)["layers"].tolist() == pytest.approx(
        [abs(slope)], rel=1e-5
    )


# ------------------------------------------------------------------------------------------------ image after image


def image_by_image(model, x, y) -> dict[str, torch.Tensor]:
    """{parameter: (images, ...) gradients of each image's own loss}, by plain autograd."""
    model = copy.deepcopy(model).requires_grad_()
    parameters = dict(model.named_parameters())
    each = [
        torch.autograd.grad(
            F.cross_entropy(model(x[i : i + 1]), y[i : i + 1]), list(parameters.values())
        )
        for i in range(len(x))
    ]
    return dict(zip(parameters, map(torch.stack, zip(*each))))


def large(name):
    model = build(name, channels=3, size=32)
    return frozen(**dict(model.named_children())), images(3, 3, 32, 10)


@pytest.mark.parametrize("network", ["residual", "pooled", "lenet5", "resnet20"])
def test_gradients_are_those_of_a_loop_over_images(network):
    model, (x, y) = (SMALL[network](), images()) if network in SMALL else large(network)
    if network == "resnet20":  # random scales would let it explode
        for m in model.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.weight.mul_(0.4)
    slopes, close = image_by_image(model, x, y), {"rtol": 1e-7, "atol": 1e-12}
    found = {name: scores(name, model, "weight", x, y) for name in ("gradient", "taylor", "fisher")}
    for name, layer in prunable(model).items():
        w, each = layer.weight, slopes[f"{name}.weight"]
        torch.testing.assert_close(found["gradient"][name], each.mean(0).abs(), **close)
        torch.testing.assert_close(found["taylor"][name], (w * each.mean(0)).abs(), **close)
        torch.testing.assert_close(found["fisher"][name], w**2 * (each**2).mean(0) / 2, **close)

    def scaled(name):
        """Per unit the slope when all its parameters there are scaled together: the sum of a dL/da at that place."""
        parts = dict(model.get_submodule(name).named_parameters())
        return sum(
            (p * slopes[f"{name}.{key}"].mean(0)).flatten(1).sum(1)
            if p.ndim > 1
            else p * slopes[f"{name}.{key}"].mean(0)
            for key, p in parts.items()
        )

    grouping = "across" if network in ("residual", "resnet20") else "inside"
    taylor, gradient = (
        scores(name, model, "filter", x, y, grouping) for name in ("taylor", "gradient")
    )
    for name, group in grouped(model, "filter", x, grouping).items():
        torch.testing.assert_close(
            taylor[name], sum(map(scaled, group.norms or group.layers)).abs(), **close
        )
        rows = sum(
            slopes[f"{layer}.weight"].mean(0).abs().flatten(1).sum(1) for layer in group.layers
        )
        torch.testing.assert_close(gradient[name], rows, **close)
    [units] = grouped(model, "layer", x).values()
    taylor, gradient = (
        scores(name, model, "layer", x, y)["layers"].tolist() for name in ("taylor", "gradient")
    )
    for unit, name in enumerate(units.names):
        place = f"{name}.bn2" if isinstance(model.get_submodule(name), ResidualBlock) else name
        assert taylor[unit] == pytest.approx(abs(float(scaled(place).sum())), rel=1e-5)
        inside = [key for key in slopes if key.startswith(f"{name}.") and slopes[key].ndim > 2]
        assert gradient[unit] == pytest.approx(
            sum(float(slopes[key].mean(0).abs().sum()) for key in inside)
        )


# ------------------------------------------------------------------------------------------------------ against numpy

whole = st.integers(-3, 3)


def share_below(values: np.ndarray) -> np.ndarray:
    """(rows, n): the share of each row that is lower, or equal and earlier."""
    return np.array(
        [
            [
                sum(other < value or other == value and j < i for j, other in enumerate(row))
                / len(row)
                for i, value in enumerate(row)
            ]
            for row in values
        ]
    )


@settings(max_examples=50)
@given(st.data())
def test_wanda_of_a_linear_layer(data):
    outputs, inputs, count = (data.draw(st.integers(1, 5)) for _ in range(3))
    w, x = (
        np.array(
            data.draw(st.lists(whole, min_size=rows * inputs, max_size=rows * inputs)), np.float32
        ).reshape(rows, inputs)
        for rows in (outputs, count)
    )
    model = nn.Sequential(
        OrderedDict(flatten=nn.Flatten(), fc=nn.Linear(inputs, outputs))
    ).requires_grad_(False)
    model.fc.weight.copy_(torch.from_numpy(w))
    found = scores(
        "wanda",
        model,
        "weight",
        torch.from_numpy(x).view(count, inputs, 1, 1),
        torch.zeros(count).long(),
    )["fc"]
    norms = np.sqrt((x.astype(np.float64) ** 2).sum(0))
    np.testing.assert_allclose(found, share_below(np.abs(w) * norms), atol=1e-7)


@pytest.mark.parametrize(
    "stride, padding, height, width", [(1, 0, 2, 3), (2, 1, 3, 3), (3, 2, 2, 2), (1, (0, 1), 3, 2)]
)
def test_wanda_of_a_convolution(stride, padding, height, width):
    random = np.random.default_rng(0)
    layer = nn.Conv2d(2, 4, (height, width), stride, padding).requires_grad_(False)
    w, x = random.integers(-3, 4, layer.weight.shape), random.integers(-2, 3, (3, 2, 7, 7))
    layer.weight.copy_(torch.from_numpy(w))
    model = nn.Sequential(OrderedDict(conv=layer))
    found = scores("wanda", model, "weight", torch.from_numpy(x).float(), torch.zeros(3).long())[
        "conv"
    ]
    down, right = layer.padding
    padded = np.pad(x, ((0, 0), (0, 0), (down, down), (right, right)))
    squares = np.zeros(w.shape[1:])
    for c, i, j in itertools.product(
        *map(range, squares.shape)
    ):  # what this weight reads, at every position
        rows = range(i, padded.shape[2] - height + 1 + i, stride)
        for row in rows:
            for column in range(j, padded.shape[3] - width + 1 + j, stride):
                squares[c, i, j] += (padded[:, c, row, column] ** 2).sum()
    expected = share_below((np.abs(w) * np.sqrt(squares)).reshape(4, -1))
    np.testing.assert_allclose(found.flatten(1), expected, atol=1e-7)


@given(
    st.lists(
        st.sampled_from([-2.0, -1.0, -0.5, 0.0, 1e-30, 0.5, 1.0, 3.0]), min_size=1, max_size=12
    )
)
def test_lamp_by_its_formula(values):
    model = nn.Sequential(
        OrderedDict(flatten=nn.Flatten(), fc=nn.Linear(len(values), 1))
    ).requires_grad_(False)
    model.fc.weight.copy_(torch.tensor([values]))
    found = scores(
        "lamp", model, "weight", torch.zeros(1, len(values), 1, 1), torch.zeros(1).long()
    )["fc"]
    squares = np.array(values, np.float32).astype(np.float64) ** 2
    expected = [s / squares[squares >= s].sum() if s else 0 for s in squares]
    np.testing.assert_allclose(found.flatten(), expected, rtol=1e-12)


def test_lamp_of_different_weights_by_the_published_algorithm():
    """Sorted from the largest down, each square over the running sum; the largest scores 1."""
    model, (x, y) = pooled(), images()
    for name, found in scores("lamp", model, "weight", x, y).items():
        squares = prunable(model)[name].weight.numpy().ravel() ** 2
        order = np.argsort(-squares)
        np.testing.assert_allclose(
            found.flatten()[order], squares[order] / np.cumsum(squares[order]), rtol=1e-12
        )
        assert float(found.max()) == 1


@settings(max_examples=50)
@given(st.integers(1, 4), st.data())
def test_fpgm_is_the_sum_of_distances(filters, data):
    w = np.array(
        data.draw(
            st.lists(st.floats(-3, 3, width=32) | whole, min_size=filters * 6, max_size=filters * 6)
        ),
        np.float32,
    ).reshape(filters, 6)
    model = nn.Sequential(OrderedDict(conv=nn.Conv2d(1, filters, (2, 3)))).requires_grad_(False)
    model.conv.weight.copy_(torch.from_numpy(w).view(filters, 1, 2, 3))
    group = UnitGroup("conv", (filters,), ("conv",))
    found = CRITERIA["fpgm"].function(Context(model, {"conv": group}, "filter", "digits"))["conv"]
    expected = [sum(math.dist(a, b) for b in w.astype(np.float64)) for a in w.astype(np.float64)]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


sizes = st.integers(1, 12)
shapes = st.tuples(sizes, sizes) | st.tuples(sizes, sizes, st.integers(1, 5), st.integers(1, 5))


@given(
    st.lists(st.tuples(shapes, st.floats(0.01, 1)), min_size=1, max_size=6),
    st.floats(0, 1) | st.just(0.9),
)
def test_erk_densities_have_one_factor_in_common(given_layers, sparsity):
    """Bisect for the factor, independent of how the code finds it."""
    layers = {
        str(i): (shape, max(1, int(share * math.prod(shape))))
        for i, (shape, share) in enumerate(given_layers)
    }
    total = sum(count for _, count in layers.values())
    removed, counts = round(sparsity * total), erk(layers, sparsity)
    assert sum(counts.values()) == removed and all(
        0 <= counts[name] <= layers[name][1] for name in layers
    )
    dense = lambda factor: {
        name: count * min(1.0, factor * sum(shape) / math.prod(shape))  # noqa: E731
        for name, (shape, count) in layers.items()
    }
    low, high = 0.0, 1e6
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if sum(dense(middle).values()) < total - removed else (low, middle)
        )
    for name, kept in dense(high).items():
        assert abs(layers[name][1] - counts[name] - kept) < 1 + 1e-6


def test_erk_of_a_lenet_300_100_by_hand():
    """90% of 266,200: the last layer stays whole, the others' densities are as (i + o) / (i o)."""
    shapes = {"fc1": (300, 784), "fc2": (100, 300), "fc3": (10, 100)}
    counts = erk({name: (shape, math.prod(shape)) for name, shape in shapes.items()}, 0.9)
    assert counts["fc3"] == 0 and sum(counts.values()) == 239_580
    factor = (26_620 - 1_000) / (1_084 + 400)
    assert counts["fc1"] == pytest.approx(235_200 - factor * 1_084, abs=1)
    assert counts["fc2"] == pytest.approx(30_000 - factor * 400, abs=1)


# ------------------------------------------------------------------------------------------- what units tell and do


def test_class_entropy_of_units_that_know_the_class_fully_half_and_not_at_all():
    """Four classes, two images each. The units: one class, two classes, all alike, never active."""
    model = frozen(flatten=nn.Flatten(), fc1=nn.Linear(4, 4), relu1=nn.ReLU(), fc2=nn.Linear(4, 4))
    model.fc1.weight.copy_(torch.eye(4))
    model.fc1.bias.zero_()
    y = torch.tensor([0, 1, 2, 3, 3, 2, 1, 0])
    x = (
        torch.stack([(y == 2) * 5.0, (y < 2) * 0.1, torch.ones(8), -torch.ones(8)], 1)
        .double()
        .view(8, 4, 1, 1)
    )
    expected = {"entropy": [math.log(4), math.log(2), 0, 0], "gini": [3 / 4, 1 / 4, 0, 0]}
    for measure, values in expected.items():
        for method in ("neuron", "filter"):
            found = scores("class_entropy", model, method, x, y, measure=measure)["fc1"]
            np.testing.assert_allclose(found, values, atol=1e-12)
        pixels = scores("class_entropy", model, "feature", x, y, "channel", measure)["input"]
        np.testing.assert_allclose(pixels.flatten(), values, atol=1e-12)
        pixels = scores(
            "class_entropy", model, "feature", x.view(8, 1, 2, 2), y, "position", measure
        )["input"]
        np.testing.assert_allclose(pixels.flatten(), values, atol=1e-12)


def test_class_entropy_counts_every_position_and_a_pixels_channels_together():
    model = frozen(
        conv1=nn.Conv2d(1, 1, 1),
        relu1=nn.ReLU(),
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        fc=nn.Linear(1, 2),
    )
    model.conv1.weight.fill_(1)
    model.conv1.bias.zero_()
    x, y = -torch.ones(2, 1, 2, 2).double(), torch.tensor([0, 1])
    x[0, 0, 0] = 1  # active at two of four positions of class 0, and at three of class 1
    x[1, 0, :, 0] = x[1, 0, 0, 1] = 1
    told = LN2 + 0.4 * math.log(0.4) + 0.6 * math.log(0.6)
    assert scores("class_entropy", model, "filter", x, y)["conv1"].tolist() == pytest.approx(
        [told], rel=1e-12
    )
    model = frozen(flatten=nn.Flatten(), fc=nn.Linear(2, 2))
    x = (
        torch.tensor([[-1.0, 3], [-2, 1]]).double().view(2, 2, 1, 1)
    )  # on average bright for class 0 only
    assert scores("class_entropy", model, "feature", x, y, "position")[
        "input"
    ].flatten().tolist() == pytest.approx([LN2])
    assert scores("class_entropy", model, "feature", x, y, "channel")[
        "input"
    ].flatten().tolist() == [0, 0]


def seen_by_hand(network) -> tuple:
    """A trained network, 24 images, labels, a grouping; and what its units do, (B, units, positions), step by step."""
    model, (x, y) = checkpoints.load(network, "digits"), digits(24)
    if network == "lenet5":
        h1 = F.max_pool2d(model.conv1(x).clamp(min=0), 2)
        h2 = F.max_pool2d(model.conv2(h1).clamp(min=0), 2)
        h3 = model.fc1(h2.flatten(1)).clamp(min=0)
        h4 = model.fc2(h3).clamp(min=0)
        return (
            model,
            x,
            y,
            "inside",
            {
                "conv1": h1.flatten(2),
                "conv2": h2.flatten(2),
                "fc1": h3[..., None],
                "fc2": h4[..., None],
            },
        )
    h, found = model.bn1(model.conv1(x)).clamp(min=0), {}
    first, tied = "conv1", [h.flatten(2)]
    for name, block in model.named_children():
        if name.startswith("block"):
            inner = block.bn1(block.conv1(h)).clamp(min=0)
            found[f"{name}.conv1"] = inner.flatten(2)
            h = (block.bn2(block.conv2(inner)) + block.shortcut(h)).clamp(min=0)
            if name in ("block2_0", "block3_0"):
                found[first] = torch.cat(tied, 2)
                first, tied = f"{name}.conv2", []
            tied.append(h.flatten(2))
    return model, x, y, "across", found | {first: torch.cat(tied, 2)}


@pytest.mark.parametrize("network", ["lenet5", "resnet20"])
def test_what_units_do_on_images_by_direct_computation(network):
    model, x, y, grouping, seen = seen_by_hand(network)
    run = lambda name, measure="": scores(name, model, "neuron", x, y, grouping, measure)  # noqa: E731
    mean, most, l2 = (run("activation", measure) for measure in ("mean", "max", "l2"))
    apoz, entropy, told, gini = (
        run("apoz"),
        run("activation_entropy"),
        run("class_entropy"),
        run("class_entropy", "gini"),
    )
    assert set(mean) == set(seen) and any((a == 0).any() for a in seen.values())
    for name, a in seen.items():
        a = a.double().numpy()
        close = {"rtol": 2e-5, "atol": 1e-6}
        np.testing.assert_allclose(mean[name], np.abs(a).mean((0, 2)), **close)
        np.testing.assert_allclose(most[name], a.max((0, 2)), **close)
        np.testing.assert_allclose(l2[name], np.sqrt((a**2).sum((0, 2))), **close)
        np.testing.assert_allclose(apoz[name], 1 - (a == 0).mean((0, 2)), atol=1e-4)
        for unit in range(a.shape[1]):
            active = np.array([(a[y == label, unit] > 0).sum() for label in range(10)])
            p = active / max(1, active.sum())
            expected = (
                (math.log(10) - stats.entropy(p), (p**2).sum() - 0.1) if active.any() else (0, 0)
            )
            assert (float(told[name][unit]), float(gini[name][unit])) == pytest.approx(
                expected, abs=1e-4
            )
    # A mean on the edge of a bin may fall to either side: nearly all units agree, to the digit.
    agree = [
        abs(
            float(entropy[name][unit])
            - stats.entropy(np.histogram(a[:, unit].mean(1).numpy(), 32)[0])
        )
        < 1e-9
        for name, a in seen.items()
        for unit in range(a.shape[1])
    ]
    assert np.mean(agree) > 0.98


# ----------------------------------------------------------------------------------------------- torch.nn.utils.prune


def ours(model, method, found, amount) -> dict[str, torch.Tensor]:
    """What sparsity in each layer keeps, {parameter: mask}."""
    layers = groups(model, method, "inside" if method == "filter" else "", 1, 28)
    ranking = Ranking.of(found, layers)
    choice = RULES["sparsity"].select(ranking, amount, "layer")
    return {
        key: mask
        for name, cut in choice.items()
        for key, mask in METHODS[method]
        .masks_for(model, layers[name], cut.removed(ranking[name]))
        .items()
    }


LENET = build("lenet5", channels=1, size=28).requires_grad_(False).eval()
AMOUNTS = (0.0, 0.1, 0.35, 0.5, 0.72, 0.9)


@pytest.mark.parametrize("amount", AMOUNTS)
@pytest.mark.parametrize("order", [1, 2])
def test_filters_go_as_torchs_ln_structured_has_it(order, amount):
    found = scores("magnitude", LENET, "filter", *digits(1), measure=f"l{order}")
    kept, theirs = ours(LENET, "filter", found, amount), copy.deepcopy(LENET)
    for name in found:
        prune.ln_structured(theirs.get_submodule(name), "weight", amount, n=order, dim=0)
        mask = theirs.get_submodule(name).weight_mask.bool()
        assert torch.equal(kept[f"{name}.weight"], mask)
        assert torch.equal(kept[f"{name}.bias"], mask.flatten(1).any(1))


@pytest.mark.parametrize("amount", AMOUNTS)
def test_weights_go_as_torchs_l1_unstructured_has_it(amount):
    kept, theirs = (
        ours(LENET, "weight", scores("magnitude", LENET, "weight", *digits(1)), amount),
        copy.deepcopy(LENET),
    )
    for name, layer in prunable(theirs).items():
        prune.l1_unstructured(layer, "weight", amount)
        assert torch.equal(kept[f"{name}.weight"], layer.weight_mask.bool())


@pytest.mark.parametrize(
    "criterion, method",
    [
        ("taylor", "weight"),
        ("fisher", "weight"),
        ("lamp", "weight"),
        ("taylor", "filter"),
        ("fpgm", "filter"),
        ("random", "filter"),
    ],
)
def test_with_the_same_scores_the_same_units_go_in_torch(criterion, method):
    found, theirs = scores(criterion, LENET, method, *digits(8)), copy.deepcopy(LENET)
    kept = ours(LENET, method, found, 0.5)
    for name, values in found.items():
        layer = theirs.get_submodule(name)
        if method == "weight":
            values = values.view_as(layer.weight)
            prune.l1_unstructured(layer, "weight", 0.5, importance_scores=values)
        else:
            values = values.view(-1, *[1] * (layer.weight.ndim - 1)).expand_as(layer.weight)
            prune.ln_structured(layer, "weight", 0.5, n=1, dim=0, importance_scores=values)
        mask = layer.weight_mask.bool()
        differ = mask != kept[f"{name}.weight"]
        assert mask.sum() == kept[f"{name}.weight"].sum()
        assert len(values[differ].unique()) <= 1  # only ties at the cut, in torch in no order


def test_random_removes_as_many_as_torchs_random_unstructured_and_is_uniform():
    found, theirs = scores("random", LENET, "weight", *digits(1)), copy.deepcopy(LENET)
    kept = ours(LENET, "weight", found, 0.37)
    for name, layer in prunable(theirs).items():
        prune.random_unstructured(layer, "weight", 0.37)
        assert layer.weight_mask.sum() == kept[f"{name}.weight"].sum()
        assert stats.kstest(found[name].flatten().numpy(), "uniform").pvalue > 1e-3
    flat = [values.flatten()[:150] for values in found.values()]
    correlation = np.corrcoef(torch.stack(flat).numpy())
    assert np.abs(correlation - np.eye(len(flat))).max() < 0.35


def test_random_scores_depend_on_the_seed_and_not_on_the_other_groups():
    seeds = [*range(12), 2**16, 2**31, 2**32 - 1]
    drawn = {seed: scores("random", LENET, "filter", *digits(1), seed=seed) for seed in seeds}
    for name in drawn[0]:
        assert len({tuple(found[name].tolist()) for found in drawn.values()}) == len(seeds)
    x, _ = digits(1)
    for seed in (0, 5):
        some = {"fc1": grouped(LENET, "filter", x)["fc1"]}
        alone = scores("random", LENET, "filter", *digits(1), seed=seed, only=some)["fc1"]
        assert torch.equal(alone, drawn[seed]["fc1"])
        assert torch.equal(alone, scores("random", LENET, "filter", *digits(1), seed=seed)["fc1"])


# --------------------------------------------------------------------------------------------------------- loss_change


def without_unit(model, names, unit) -> nn.Sequential:
    """A copy in which the unit's part of every parameter of the named modules is zero."""
    left = copy.deepcopy(model)
    for name in names:
        for p in left.get_submodule(name).parameters():
            p[unit] = 0
    return left


@pytest.mark.parametrize(
    "network, method, grouping, places",
    [
        (
            "lenet5",
            "filter",
            "inside",
            {"conv1": ["conv1"], "conv2": ["conv2"], "fc1": ["fc1"], "fc2": ["fc2"]},
        ),
        ("lenet5", "neuron", "inside", {"conv1": ["conv1"], "fc2": ["fc2"]}),
        ("resnet20", "filter", "inside", {"block1_0.conv1": ["block1_0.conv1", "block1_0.bn1"]}),
        (
            "resnet20",
            "neuron",
            "across",
            {
                "block2_1.conv1": ["block2_1.conv1", "block2_1.bn1"],
                "conv1": [
                    "conv1",
                    "bn1",
                    *(f"block1_{i}.{part}2" for i in range(3) for part in ("conv", "bn")),
                ],
            },
        ),
    ],
)
def test_loss_change_leaves_one_unit_out(network, method, grouping, places):
    model, (x, y) = checkpoints.load(network, "digits"), digits(16 if network == "lenet5" else 5)
    some = {
        name: group for name, group in grouped(model, method, x, grouping).items() if name in places
    }
    model, x, y = (
        model.double(),
        x.double(),
        (y + 1) % 10,
    )  # with the right labels it loses next to nothing
    found, dense = scores("loss_change", model, method, x, y, only=some), loss(model, x, y)
    for name, modules in places.items():
        for unit in range(0, len(found[name]), 1 + len(found[name]) // 8):
            change = loss(without_unit(model, modules, unit), x, y) - dense
            assert float(found[name][unit]) == pytest.approx(change, rel=1e-6, abs=1e-10)
        assert float(found[name].abs().max()) > 1e-3  # something happens at all


def test_loss_change_of_filters_in_float64():
    for network, model in ((name, make()) for name, make in SMALL.items()):
        x, y = images()
        found = scores("loss_change", model, "filter", x, y, GROUPING[network])
        for name, group in grouped(model, "filter", x, GROUPING[network]).items():
            expected = [
                loss(without_unit(model, [*group.layers, *group.norms], unit), x, y)
                - loss(model, x, y)
                for unit in range(group.units)
            ]
            np.testing.assert_allclose(found[name], expected, atol=1e-12)


def test_loss_change_of_a_residual_block_is_that_of_its_shortcut_alone():
    model, (x, y) = checkpoints.load("resnet20", "digits"), digits(8)
    [names] = [group.names for group in grouped(model, "layer", x).values()]
    assert len(names) == 7
    found, dense = scores("loss_change", model, "layer", x, y)["layers"], loss(model, x, y)
    for name, score in zip(names, found.tolist()):
        left = nn.Sequential(
            OrderedDict((key, nn.ReLU() if key == name else m) for key, m in model.named_children())
        )
        assert score == pytest.approx(loss(left, x, y) - dense, abs=1e-5)


def test_loss_change_of_a_plain_layer_is_that_of_the_refitted_network():
    """The layer behind the gap, refitted in numpy on the same images."""
    model, (x, y) = pooled().float(), images(24)
    x = x.float()
    found = scores("loss_change", model, "layer", x, y)["layers"].tolist()
    for lost, behind, score in zip(("conv2", "fc1"), ("fc1", "fc2"), found, strict=True):
        names = [key for key, _ in model.named_children()]
        asked = model[: names.index(behind) + 1](x).numpy()
        left = nn.Sequential(
            OrderedDict((key, m) for key, m in model.named_children() if key != lost)
        )
        place = names.index(behind) - 1
        weight, bias = ridge_by_hand(left[:place](x).numpy(), asked, 1e-2)
        refitted = torch.from_numpy(left[:place](x).numpy() @ weight.T + bias).float()
        assert score == pytest.approx(
            loss(left[place + 1 :], refitted, y) - loss(model, x, y), abs=1e-4
        )


# -------------------------------------------------------------------------------------------------------- least squares


def ridge_by_hand(x, y, ridge) -> tuple[np.ndarray, np.ndarray]:
    """Weight (o, i) and bias (o,): numpy's least squares on centred data, the penalty as further rows."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    mx, my = x.mean(0), y.mean(0)
    penalty = math.sqrt(len(x) * ridge * x.var(0).mean())
    rows = np.concatenate([x - mx, penalty * np.eye(x.shape[1])])
    weight = np.linalg.lstsq(rows, np.concatenate([y - my, np.zeros((x.shape[1], y.shape[1]))]))[
        0
    ].T
    return weight, my - weight @ mx


@settings(max_examples=20)
@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 100), st.floats(-5, 5))
def test_least_squares_without_ridge_is_numpys(inputs, outputs, seed, offset):
    random = np.random.default_rng(seed)
    x, y = random.normal(offset, 2, (30, inputs)), random.normal(1, 3, (30, outputs))
    expected = np.linalg.lstsq(np.c_[x, np.ones(30)], y)[0].T
    batches = zip(torch.from_numpy(x).split(7), torch.from_numpy(y).split(7))
    layer = least_squares(batches, ridge=0)
    np.testing.assert_allclose(layer.weight, expected[:, :-1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.bias, expected[:, -1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("ridge", [1e-4, 1e-2, 1.0, 100.0])
def test_least_squares_with_ridge_is_its_closed_form(ridge):
    random = np.random.default_rng(0)
    x, y = random.normal(1, 2, (40, 5)) * [1, 2, 0.1, 3, 0], random.normal(-1, 1, (40, 3))
    layer = least_squares(zip(torch.from_numpy(x).split(9), torch.from_numpy(y).split(9)), ridge)
    c, d = x - x.mean(0), y - y.mean(0)
    weight = (
        np.linalg.inv(c.T @ c / 40 + ridge * np.trace(c.T @ c / 40) / 5 * np.eye(5)) @ c.T @ d / 40
    )
    np.testing.assert_allclose(layer.weight, weight.T, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.weight, ridge_by_hand(x, y, ridge)[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.bias, y.mean(0) - x.mean(0) @ weight, rtol=1e-5, atol=1e-6)


def test_least_squares_of_inputs_that_are_all_zero_gives_the_mean():
    layer = least_squares([(torch.zeros(4, 3), torch.arange(8.0).view(4, 2))])
    assert layer.weight.abs().max() == 0 and layer.bias.tolist() == [3, 4]


@pytest.mark.parametrize(
    "gone, refitted", [(["conv2"], "fc1"), (["fc1"], "fc2"), (["conv2", "fc1"], "fc2")]
)
def test_a_network_without_layers_leaves_the_original_untouched(gone, refitted):
    model, (x, _) = pooled().float(), images(50)
    x, modules = x.float(), dict(model.named_modules())
    before = {
        key: (value, value.clone()) for key, value in model.state_dict(keep_vars=True).items()
    }
    masked = {"conv1.weight": model.conv1.weight * 0.5, "fc2.weight": model.fc2.weight * 0}
    left, parameters = without(model, masked, gone, lambda: x.split(20))
    assert dict(model.named_modules()) == modules
    for key, value in model.state_dict(keep_vars=True).items():
        assert (
            value is before[key][0]
            and torch.equal(value, before[key][1])
            and not value.requires_grad
        )
    assert set(parameters) == {"conv1.weight", "fc2.weight"} - {f"{refitted}.weight"}
    assert [
        key
        for key, m in left.named_children()
        if key in prunable(model) and key not in prunable(left)
    ] == gone
    assert left.conv1 is model.conv1 and left.get_submodule(refitted) is not model.get_submodule(
        refitted
    )
    assert torch.isfinite(left(x)).all()


# ------------------------------------------------------------------------------------------------- whatever the network


@pytest.mark.parametrize(
    "network", [network for network, dataset in checkpoints.shipped() if dataset == "digits"]
)
def test_no_criterion_touches_the_shared_network(network):
    shared = checkpoints.shared(network, "digits")
    tensors = dict(shared.state_dict(keep_vars=True))
    before = {key: value.detach().clone() for key, value in tensors.items()}

    def untouched(share: float) -> None:
        """Asked meanwhile, too: another visitor reads it."""
        assert not shared.training and not any(
            m._forward_hooks or m._forward_pre_hooks for m in shared.modules()
        )
        assert not any(p.requires_grad or p.grad is not None for p in shared.parameters())

    for method in METHODS:
        for criterion in criteria_for(network, method):
            slow = criterion == "loss_change" and network == "resnet20"
            if slow and method == "neuron":  # the same as for filters
                continue
            recipe = Recipe(
                network, "digits", method=method, criterion=criterion, calibration=3 if slow else 12
            )
            ranked = experiment.ranking(recipe, untouched)
            untouched(1)
            assert ranked.units == sum(
                group.units for group in experiment.groups_of(recipe).values()
            )
            assert all(np.isfinite(group.values).all() for group in ranked.values())
            for key, value in shared.state_dict(keep_vars=True).items():
                assert value is tensors[key] and torch.equal(value, before[key]), (
                    method,
                    criterion,
                    key,
                )


CHANGES = {
    "as it is": lambda p: None,
    "all weights zero": lambda p: p.zero_(),
    "all activations zero": lambda p: p.fill_(-1) if p.ndim == 1 else p.zero_(),
    "constant layers": lambda p: p.fill_(0.1),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("network", SMALL)
def test_scores_are_finite_deterministic_and_one_for_each_unit(network, change):
    model, (x, y) = SMALL[network]().float(), images()
    for parameter in model.parameters():
        CHANGES[change](parameter)
    x, state = x.float(), copy.deepcopy(model.state_dict())
    for method, (name, criterion) in itertools.product(METHODS, CRITERIA.items()):
        if method not in criterion.applies_to or criterion.needs_batch_norm and network == "pooled":
            continue
        for grouping in METHODS[method].groupings or [""]:
            found = grouped(model, method, x, grouping)
            for measure in (
                list(criterion.variants) if method in criterion.variant_methods else [""]
            ):
                given_scores = scores(name, model, method, x, y, grouping, measure, found)
                for group in found.values():
                    values = given_scores[group.name]
                    assert values.numel() == group.units and torch.isfinite(values).all(), (
                        name,
                        method,
                        measure,
                    )
                    assert criterion.can_be_negative or (values >= 0).all(), (name, method, measure)
                if change == "as it is":
                    again = scores(name, model, method, x, y, grouping, measure, found)
                    assert all(torch.equal(given_scores[key], again[key]) for key in found), (
                        name,
                        method,
                        measure,
                    )
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


def test_measures_make_a_difference_for_exactly_the_methods_that_say_so():
    for network, make in SMALL.items():
        model, (x, y) = make().float(), images(12)
        x = x.float()
        for method, (name, criterion) in itertools.product(METHODS, CRITERIA.items()):
            if method in criterion.applies_to and not (
                criterion.needs_batch_norm and network == "pooled"
            ):
                found = [
                    torch.cat(
                        [
                            v.flatten().double()
                            for v in scores(name, model, method, x, y, "", m).values()
                        ]
                    )
                    for m in criterion.variants
                ]
                for a, b in itertools.combinations(found, 2):
                    assert torch.equal(a, b) == (method not in criterion.variant_methods), (
                        name,
                        method,
                    )


def test_the_batches_are_training_images_normalised_and_masked():
    mask = (torch.arange(784) % 3 > 0).view(1, 28, 28).float()
    told = []
    context = Context(
        LENET, {}, "feature", "digits", calibration=300, input=mask, report=told.append
    )
    parts = list(context.batches(128))
    assert [len(x) for x, _ in parts] == [128, 128, 44] and told == [128 / 300, 256 / 300, 1]
    x, y = torch.cat([x for x, _ in parts]), torch.cat([y for _, y in parts])
    some = datasets.calibration("digits", 300)
    expected = (some.pixels.numpy() / 255 - 0.3055) / 0.3247 * mask.numpy()
    np.testing.assert_allclose(x, expected, atol=1e-5)
    train = {image.tobytes() for image in datasets.load("digits", "train").pixels.numpy()}
    assert all(image.tobytes() in train for image in some.pixels.numpy()) and torch.equal(
        y, some.labels
    )
