"""Criteria of gradients: against finite differences and loops over images."""

import copy
import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pruning.models import build, prunable
from pruning.models.blocks import ResidualBlock
from tests.pruning.methods.criteria.common import (
    GROUPING,
    SEEN,
    SMALL,
    SWITCHES,
    frozen,
    grouped,
    images,
    loss,
    pooled,
    residual,
    scores,
    staged,
)

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


@pytest.mark.parametrize(
    "make, places",
    [
        (pooled, [["conv2", "fc1"]]),
        (staged, [["first.bn2", "second.bn2"], ["third.bn2"]]),
    ],
)
def test_taylor_of_a_subnetwork_is_the_slope_of_all_its_members_together(make, places):
    model, (x, y) = make(), images()
    slopes = []
    for names in places:
        slopes.append(slope_at(model, names, slice(None), x, y, lambda a, s: a * (1 + s)))
    found = scores("taylor", model, "layer", x, y, "subnetwork")["layers"]
    assert found.tolist() == pytest.approx([abs(slope) for slope in slopes], rel=1e-5)


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
    return dict(zip(parameters, map(torch.stack, zip(*each, strict=True)), strict=False))


def large(name):
    model = build(name, channels=3, size=32)
    return frozen(**dict(model.named_children())), images(3, 3, 32, 10)


@pytest.mark.parametrize(
    "network", ["residual", "pooled", "lenet5", pytest.param("resnet20", marks=pytest.mark.slow)]
)
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
        """Slope when all parameters of a unit in this module are scaled: the sum of a dL/da."""
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
