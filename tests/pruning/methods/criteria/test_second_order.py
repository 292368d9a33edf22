"""OBS against the smallest error that any refit of the other weights reaches."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tests.pruning.methods.criteria.common import images, pooled, scores


def smallest_error(h: np.ndarray, weights: np.ndarray, removed: int) -> float:
    """Half of the least squared change of the output without a weight, the others free."""
    others = np.delete(np.arange(len(h)), removed)
    cross = h[np.ix_(others, [removed])][:, 0]
    change = np.linalg.solve(h[np.ix_(others, others)], cross) * weights[removed]
    full = np.insert(change, removed, -weights[removed])
    return 0.5 * full @ h @ full


def second_moments(inputs: torch.Tensor) -> np.ndarray:
    rows = inputs.double().numpy()
    products = rows.T @ rows / len(rows)
    return products + 0.01 * np.trace(products) / len(products) * np.eye(len(products))


@pytest.mark.parametrize("name", ["conv1", "fc1"])
def test_a_score_is_the_error_after_the_best_refit_of_the_others(name):
    model, (x, y) = pooled(), images(30)
    found = scores("obs", model, "weight", x, y)[name]
    layer = model.get_submodule(name)
    position = [stage for stage, _ in model.named_children()].index(name)
    inputs = model[:position](x).detach()
    if isinstance(layer, torch.nn.Conv2d):
        patches = F.unfold(inputs, layer.kernel_size, 1, layer.padding, layer.stride)
        assert patches.shape[2] <= 64, "the criterion samples positions"
        inputs = patches.transpose(1, 2).flatten(0, 1)
    h = second_moments(inputs)
    weight = layer.weight.detach().double().flatten(1).numpy()
    assert found.shape == layer.weight.shape
    for output in (0, len(weight) - 1):
        for removed in (0, len(h) // 2, len(h) - 1):
            expected = smallest_error(h, weight[output], removed)
            score = float(found.flatten(1)[output, removed])
            assert score == pytest.approx(expected, rel=1e-4, abs=1e-12)
