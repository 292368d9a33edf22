import pytest

from pruning.engine.evaluate import evaluate
from pruning.engine.prune import prune
from pruning.experiments.pitfalls import (
    best_seed,
    living_biases,
    revive_weights,
    sparsity_counts,
)
from pruning.recipe.recipe import Recipe

FILTERS = Recipe.one_step("lenet5", "digits", method="filter", scope="layer", value=0.5)


def test_the_masked_network_is_the_removed_one():
    result = living_biases(FILTERS)
    [evaluation] = evaluate([FILTERS])
    assert result.masked_accuracy == evaluation.accuracy.value
    assert result.masked_difference < 1e-4 < result.difference


def test_sparsity_is_counted_in_several_ways():
    counts = sparsity_counts(FILTERS)
    pruned = prune(FILTERS)
    assert counts[0].share == pytest.approx(pruned.sparsity)
    assert counts[1].total == 61_706 and counts[0].total == 61_470
    assert (counts[2].removed, counts[2].total) == (pruned.removed_units, 6 + 16 + 120 + 84)
    parameters = pruned.compact_model.named_parameters()
    remaining = sum(value.numel() for name, value in parameters if name.endswith("weight"))
    assert counts[3].removed == 61_470 - remaining
    assert counts[4].total == remaining
    assert counts[3].share > counts[0].share + 0.2
    assert len({round(count.share, 3) for count in counts}) > 2


def test_weights_come_back_unless_the_mask_is_applied():
    revival = revive_weights(steps=3)
    assert revival.pruned == round(0.8 * 7840)
    for counts in revival.alive.values():
        assert counts[0] == 0 and len(counts) == 4
    assert not revival.alive["mask applied after every step"].any()


def test_the_best_seed_agrees_with_single_evaluations():
    recipe = Recipe.one_step("lenet5", "digits", criterion="random", value=0.3)
    shares = []
    best = best_seed(recipe, 3, 100, shares.append)
    assert shares == pytest.approx([1 / 3, 2 / 3, 1])
    assert best.other_images == 260
    total = best.reported * 100 + best.others * 260
    accuracies = []
    for seed in range(3):
        again = Recipe.one_step("lenet5", "digits", criterion="random", value=0.3, seed=seed)
        accuracies.append(evaluate([again])[0].tally.correct)
    assert round(total) in accuracies
