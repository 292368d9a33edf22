"""Random scores: uniform, and dependent on nothing but the seed and the group."""

import copy

import numpy as np
import torch
from scipy import stats
from torch.nn.utils import prune

from pruning.models import prunable
from tests.pruning.methods.criteria.common import (
    LENET,
    digits,
    grouped,
    ours,
    scores,
)


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
