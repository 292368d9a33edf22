"""OBS against the smallest error that any refit of the other weights reaches."""

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from pruning.methods.criteria import CRITERIA
from pruning.methods.criteria.second_order import SHARE_OF_IMAGES
from pruning.runtime.errors import Cancelled
from tests.pruning.methods.criteria.common import Given, grouped, images, pooled, scores


def smallest_error(h: np.ndarray, weights: np.ndarray, removed: list[int]) -> float:
    """Half of the least squared change of the output without some weights, the others free."""
    others = np.delete(np.arange(len(h)), removed)
    cross = h[np.ix_(others, removed)]
    change = np.zeros(len(h))
    change[removed] = -weights[removed]
    change[others] = np.linalg.solve(h[np.ix_(others, others)], cross @ weights[removed])
    return 0.5 * change @ h @ change


def second_moments(inputs: torch.Tensor) -> np.ndarray:
    rows = inputs.double().numpy()
    products = rows.T @ rows / len(rows)
    return products + 0.01 * np.trace(products) / len(products) * np.eye(len(products))


def weight_and_moments(
    model: torch.nn.Sequential, name: str, x: torch.Tensor
) -> tuple[np.ndarray, np.ndarray]:
    """Weight (outputs, inputs) of a layer, and second moments of its inputs with the ridge."""
    layer = model.get_submodule(name)
    position = [stage for stage, _ in model.named_children()].index(name)
    inputs = model[:position](x).detach()
    if isinstance(layer, torch.nn.Conv2d):
        patches = F.unfold(inputs, layer.kernel_size, 1, layer.padding, layer.stride)
        assert patches.shape[2] <= 64, "the criterion samples positions"
        inputs = patches.transpose(1, 2).flatten(0, 1)
    return layer.weight.detach().double().flatten(1).numpy(), second_moments(inputs)


@pytest.mark.parametrize("name", ["conv1", "fc1"])
def test_a_score_is_the_error_after_the_best_refit_of_the_others(name):
    model, (x, y) = pooled(), images(30)
    found = scores("obs", model, "weight", x, y)[name]
    weight, h = weight_and_moments(model, name, x)
    assert found.shape == model.get_parameter(f"{name}.weight").shape
    for output in (0, len(weight) - 1):
        for removed in (0, len(h) // 2, len(h) - 1):
            expected = smallest_error(h, weight[output], [removed])
            score = float(found.flatten(1)[output, removed])
            assert score == pytest.approx(expected, rel=1e-4, abs=1e-12)


@pytest.mark.parametrize("name", ["conv1", "fc1"])
def test_each_greedy_removal_is_the_one_after_which_the_best_refit_is_best(name):
    model, (x, y) = pooled(), images(30)
    found = scores("obs", model, "weight", x, y, measure="greedy")[name]
    weight, h = weight_and_moments(model, name, x)
    assert found.shape == model.get_parameter(f"{name}.weight").shape
    error_without_weights = 0.5 * np.einsum("oi,ij,oj->", weight, h, weight)
    for output in (0, len(weight) - 1):
        row = found.flatten(1)[output].numpy()
        removed: list[int] = []
        error, largest_added = 0.0, 0.0
        for _ in range(len(h)):
            candidates = [j for j in range(len(h)) if j not in removed]
            errors = [smallest_error(h, weight[output], [*removed, j]) for j in candidates]
            removed.append(candidates[int(np.argmin(errors))])
            largest_added = max(largest_added, min(errors) - error)
            error = min(errors)
            share = largest_added / error_without_weights
            assert row[removed[-1]] == pytest.approx(share, rel=1e-3)
        assert row.argsort().tolist() == removed


def test_greedy_scores_do_not_depend_on_the_scale_of_a_layer_and_single_ones_do():
    model, (x, y) = pooled(), images(30)
    scaled = pooled()
    scaled.fc2.weight.mul_(100)
    for measure, factor in (("greedy", 1), ("single", 100**2)):
        before = scores("obs", model, "weight", x, y, measure=measure)["fc2"]
        after = scores("obs", scaled, "weight", x, y, measure=measure)["fc2"]
        np.testing.assert_allclose(after, factor * before, rtol=1e-4)


@pytest.mark.parametrize("inputs", [3, 5])
def test_greedy_scores_of_zero_weights_are_finite_and_lowest(inputs):
    model, (x, y) = pooled(), images(30)
    model.fc2.weight[:, :inputs] = 0  # 3 of its 5 inputs, or all
    found = scores("obs", model, "weight", x, y, measure="greedy")["fc2"]
    assert found.isfinite().all()
    zeros, others = found[:, :inputs], found[:, inputs:]
    assert zeros.max() < 1e-30 and (others > 1e-30).all()


def greedy_context(report: Callable[[float], None]) -> Given:
    model, (x, y) = pooled(), images(30)
    return Given(
        model,
        grouped(model, "weight", x),
        "weight",
        "digits",
        variant="greedy",
        report=report,
        images=x,
        labels=y,
    )


def test_greedy_scoring_reports_its_progress_and_does_not_modify_the_network():
    shares: list[float] = []
    context = greedy_context(shares.append)
    before = copy.deepcopy(context.model.state_dict())
    CRITERIA["obs"].function(context)
    assert shares == sorted(shares) and shares[-1] == 1
    assert len(shares) >= len(context.groups) and shares[0] > SHARE_OF_IMAGES
    for name, value in context.model.state_dict().items():
        assert torch.equal(value, before[name])


def test_greedy_scoring_can_be_cancelled_between_layers():
    def cancel(share: float) -> None:
        if share > 0.5:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        CRITERIA["obs"].function(greedy_context(cancel))
