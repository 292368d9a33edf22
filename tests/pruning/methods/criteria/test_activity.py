"""Criteria of activations: against closed forms and direct computation in NumPy."""

import itertools
import math
from collections import OrderedDict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import nn
from torch.nn import functional as F

from pruning.models import checkpoints
from tests.pruning.methods.criteria.common import LN2, LN3, by_hand, digits, frozen, scores

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
def test_activation_criteria_by_hand(criterion, measure, expected, method):
    found = scores(
        criterion, SEEN_NET, method, SEEN_X, torch.tensor([0, 0, 1, 1]), measure=measure
    )["fc1"]
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-12)


whole = st.integers(-3, 3)


def assert_ranks_rise_with(found: torch.Tensor, squares: np.ndarray) -> None:
    """The scores of each row are the shares k / n, in the order of the exact squares.

    Both are of shape (rows, n). Scores that are mathematically equal may be in either order:
    3 * sqrt(2) and sqrt(18) differ by rounding.
    """
    shares = np.arange(squares.shape[1]) / squares.shape[1]
    for row_scores, row_squares in zip(found.numpy(), squares, strict=True):
        order = np.argsort(row_scores)
        np.testing.assert_allclose(row_scores[order], shares, atol=1e-7)
        assert (np.diff(row_squares[order]) >= 0).all()


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
    assert_ranks_rise_with(found, w.astype(np.int64) ** 2 * (x.astype(np.int64) ** 2).sum(0))


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
    assert_ranks_rise_with(found.flatten(1), (w**2 * squares).reshape(4, -1))


def test_class_entropy_of_units_with_full_partial_and_no_information():
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
    """A trained network, images, labels, a grouping, and activations (B, units, positions)."""
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


@pytest.mark.parametrize("network", ["lenet5", pytest.param("resnet20", marks=pytest.mark.slow)])
def test_activation_criteria_on_images_by_direct_computation(network):
    model, x, y, grouping, seen = seen_by_hand(network)

    def run(name, measure=""):
        return scores(name, model, "neuron", x, y, grouping, measure)

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
