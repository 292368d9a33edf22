import numpy as np
import pytest

from pruning.engine.prune import prune
from pruning.experiments.mask_overlap import mask_overlaps, removed_weights
from pruning.recipe.recipe import Recipe

one_step = Recipe.one_step


def removed_by_masks(recipe: Recipe) -> set[tuple[str, int]]:
    removed = set()
    for name, mask in prune(recipe).masks.items():
        if name.endswith("weight"):
            removed |= {(name, int(i)) for i in np.flatnonzero(~mask.numpy())}
    return removed


def test_overlap_by_sets():
    a = one_step("lenet300", "digits", value=0.3)
    b = one_step("lenet300", "digits", criterion="random", value=0.6)
    nothing = one_step("lenet300", "digits", value=0.0)
    overlaps = mask_overlaps([prune(recipe) for recipe in (a, b, nothing)])
    first, second = removed_by_masks(a), removed_by_masks(b)
    expected = len(first & second) / len(first | second)
    assert overlaps[0, 1] == overlaps[1, 0] == pytest.approx(expected)
    assert overlaps[0, 0] == 1 and overlaps[0, 2] == 0 and np.isnan(overlaps[2, 2])


def test_removed_layers_remove_all_their_weights():
    layers = prune(one_step("lenet5", "digits", method="layer", criterion="random", value=0.4))
    weights = prune(one_step("lenet5", "digits", value=0.9))
    assert len(removed_weights(layers)) == 61_470
    assert removed_weights(layers).sum() > 0
    assert 0 < mask_overlaps([layers, weights])[0, 1] < 1


def test_weights_that_are_not_effective_count_as_removed():
    recipe = one_step("lenet300", "digits", value=0.99)
    pruned = prune(recipe)
    assert removed_weights(pruned).sum() > len(removed_by_masks(recipe))
    kept = 266_200 - removed_weights(pruned).sum()
    assert kept == pruned.effective.macs
