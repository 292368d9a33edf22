"""Refitted layers: least squares, and the masks that survive."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pruning.data import datasets
from pruning.data.datasets import DATASETS, normalise
from pruning.methods.masks import Masks
from pruning.methods.refit import carry_masks, least_squares, remove_layers
from pruning.models import checkpoints, prunable
from tests.pruning.methods.criteria.common import images, pooled, ridge_by_hand


@settings(max_examples=20)
@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 100), st.floats(-5, 5))
def test_least_squares_without_ridge_is_numpys(inputs, outputs, seed, offset):
    random = np.random.default_rng(seed)
    x, y = random.normal(offset, 2, (30, inputs)), random.normal(1, 3, (30, outputs))
    expected = np.linalg.lstsq(np.c_[x, np.ones(30)], y)[0].T
    batches = zip(torch.from_numpy(x).split(7), torch.from_numpy(y).split(7), strict=True)
    layer = least_squares(batches, ridge=0)
    np.testing.assert_allclose(layer.weight, expected[:, :-1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.bias, expected[:, -1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("ridge", [1e-4, 1e-2, 1.0, 100.0])
def test_least_squares_with_ridge_is_its_closed_form(ridge):
    random = np.random.default_rng(0)
    x, y = random.normal(1, 2, (40, 5)) * [1, 2, 0.1, 3, 0], random.normal(-1, 1, (40, 3))
    layer = least_squares(
        zip(torch.from_numpy(x).split(9), torch.from_numpy(y).split(9), strict=True), ridge
    )
    c, d = x - x.mean(0), y - y.mean(0)
    weight = (
        np.linalg.inv(c.T @ c / 40 + ridge * np.trace(c.T @ c / 40) / 5 * np.eye(5)) @ c.T @ d / 40
    )
    np.testing.assert_allclose(layer.weight, weight.T, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.weight, ridge_by_hand(x, y, ridge)[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.bias, y.mean(0) - x.mean(0) @ weight, rtol=1e-5, atol=1e-6)


def test_least_squares_without_a_bias_is_numpys():
    random = np.random.default_rng(0)
    x, y = random.normal(2, 1, (30, 4)), random.normal(1, 3, (30, 2))
    layer = least_squares([(torch.from_numpy(x), torch.from_numpy(y))], ridge=0, has_bias=False)
    expected = np.linalg.lstsq(x, y)[0].T
    np.testing.assert_allclose(layer.weight, expected, rtol=1e-4, atol=1e-5)
    assert layer.bias is None


def test_a_refitted_layer_of_a_network_without_biases_has_none():
    model = checkpoints.load("mlpnet", "digits")
    pixels = normalise(datasets.load("digits", "train").pixels[:300], DATASETS["digits"])
    refitted, _ = remove_layers(model, {}, ["fc1"], lambda: pixels.split(100))
    assert refitted.fc2.weight.shape == (20, 784) and refitted.fc2.bias is None
    assert sum(parameter.numel() for parameter in refitted.parameters()) == 20 * 784 + 10 * 20


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
    left, parameters = remove_layers(model, masked, gone, lambda: x.split(20))
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


def test_masks_after_a_refit():
    """Shared parameters keep their masks; a refitted layer only its removed outputs."""
    model, (x, _) = pooled().float(), images(50)
    single_weights = torch.ones(5, 36, dtype=torch.bool)
    single_weights[0] = False  # the whole unit
    single_weights[1, :10] = False
    masks = Masks(
        {
            "input": torch.ones(1, 6, 6, dtype=torch.bool),
            "conv1.weight": torch.rand(3, 1, 3, 3) > 0.5,
            "conv2.weight": torch.rand(4, 3, 3, 3) > 0.5,
            "fc1.weight": single_weights,
            "fc1.bias": torch.tensor([False, True, True, True, True]),
            "fc2.weight": torch.rand(3, 5) > 0.5,
        }
    )
    refitted, _ = remove_layers(model, masks.apply(model), ["conv2"], lambda: [x.float()])
    carried = carry_masks(masks, model, refitted)
    assert set(carried) == set(masks) - {"conv2.weight"}
    for name in ("input", "conv1.weight", "fc2.weight"):
        assert carried[name] is masks[name]
    shape = refitted.get_parameter("fc1.weight").shape
    expected = masks["fc1.bias"][:, None].expand(shape)
    assert torch.equal(carried["fc1.weight"], expected)
    assert torch.equal(carried["fc1.bias"], masks["fc1.bias"])
