"""Criteria of weights alone: against closed forms and torch.nn.utils.prune."""

import copy
import math
from collections import OrderedDict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune

from pruning.methods.criteria import CRITERIA, Context
from pruning.methods.units import UnitGroup
from pruning.models import prunable
from tests.pruning.methods.criteria.common import (
    LENET,
    digits,
    images,
    ours,
    pooled,
    residual,
    scores,
)


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


whole = st.integers(-3, 3)


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


AMOUNTS = (0.0, 0.1, 0.35, 0.5, 0.72, 0.9)


@pytest.mark.parametrize("amount", AMOUNTS)
@pytest.mark.parametrize("order", [1, 2])
def test_the_same_filters_are_removed_as_by_torchs_ln_structured(order, amount):
    found = scores("magnitude", LENET, "filter", *digits(1), measure=f"l{order}")
    kept, theirs = ours(LENET, "filter", found, amount), copy.deepcopy(LENET)
    for name in found:
        prune.ln_structured(theirs.get_submodule(name), "weight", amount, n=order, dim=0)
        mask = theirs.get_submodule(name).weight_mask.bool()
        assert torch.equal(kept[f"{name}.weight"], mask)
        assert torch.equal(kept[f"{name}.bias"], mask.flatten(1).any(1))


@pytest.mark.parametrize("amount", AMOUNTS)
def test_the_same_weights_are_removed_as_by_torchs_l1_unstructured(amount):
    kept, theirs = (
        ours(LENET, "weight", scores("magnitude", LENET, "weight", *digits(1)), amount),
        copy.deepcopy(LENET),
    )
    for name, layer in prunable(theirs).items():
        prune.l1_unstructured(layer, "weight", amount)
        assert torch.equal(kept[f"{name}.weight"], layer.weight_mask.bool())
