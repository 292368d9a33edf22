"""What panels draw from a pruned network."""

import numpy as np
import pytest
import torch

from pruning.engine.prune import prune, trained_model
from pruning.models import prunable
from pruning.recipe.recipe import Recipe
from pruning.recipe.step import Step


@pytest.fixture
def filters():
    return prune(Recipe.one_step("lenet5", "digits", method="filter", scope="layer", value=0.5))


def test_counts_are_those_of_the_masks(filters):
    masks = filters.masks.complete(filters.model)
    for name, kept in filters.kept_weights.items():
        assert kept == int(masks[f"{name}.weight"].sum())
    removed = sum(int((~mask).sum()) for mask in masks.values())
    assert filters.sparsity == pytest.approx(removed / 61_470)
    assert filters.removed_share == filters.removed_units / filters.ranking.units


def test_the_effective_cost_is_at_most_the_masked_one(filters):
    assert filters.effective.parameters < filters.masked.parameters
    assert filters.effective.macs < filters.masked.macs


def test_weights_and_scores_come_with_what_is_kept(filters):
    weights, kept = filters.weights("conv2")
    assert np.array_equal(weights, filters.model.conv2.weight.detach().numpy().ravel())
    assert kept.sum() == filters.kept_weights["conv2"]
    scores, kept = filters.scores()
    assert len(scores) == filters.ranking.units
    assert (~kept).sum() == filters.removed_units


def test_a_removed_unit_has_lost_all_its_weights(filters):
    removed = filters.removed_units_of("conv2").numpy()
    shares = filters.removed_share_by_unit["conv2"]
    assert np.array_equal(shares == 1, removed)


def test_the_results_of_previous_steps_are_available():
    recipe = Recipe("lenet300", "digits", (Step(value=0.5), Step(value=0.5)))
    pruned = prune(recipe)
    assert pruned.previous is not None and pruned.previous.recipe == recipe.without_last_step
    assert pruned.before_step is pruned.previous.network
    assert [result.removed for result in pruned.step_results] == [133_100, 66_550]
    assert prune(recipe.without_last_step).previous is None


def test_the_trained_network_is_not_modified(filters):
    before = {name: value.clone() for name, value in filters.trained_model.state_dict().items()}
    with torch.no_grad():
        filters.network.copy()(torch.rand(2, 1, 28, 28))
    after = trained_model(filters.recipe).state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert list(prunable(filters.compact_model)) == list(prunable(filters.model))
