"""The criterion of README's example, run by `test_registry_growth` where it is registered."""

import torch

from pruning.engine.evaluate import evaluate
from pruning.engine.prune import prune, trained_model
from pruning.experiments.agreement import measure_agreement
from pruning.methods.criteria import CRITERIA
from pruning.recipe.compatibility import criteria_for, rules_for
from pruning.recipe.labels import recipe_label
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import (
    recipe_from_dict,
    recipe_from_query,
    recipe_to_dict,
    recipe_to_query,
)

RECIPE = Recipe.one_step("lenet5", "digits", value=0.8)


def test_a_new_criterion_is_offered_scored_and_named():
    assert criteria_for("lenet5", "weight")[-1] == list(CRITERIA)[-1] == "squared"
    assert "squared" not in criteria_for("lenet5", "filter")
    assert rules_for("weight", "squared")
    recipe = RECIPE.with_last_step(criterion="squared")
    assert recipe_from_dict(recipe_to_dict(recipe)) == recipe
    assert recipe_from_query(recipe_to_query(recipe), Recipe()) == recipe
    assert recipe_label(recipe) == "Weights by Squared magnitude"
    scores, kept = prune(recipe).scores("fc1")
    weight = trained_model(recipe).fc1.weight.detach().flatten()
    torch.testing.assert_close(torch.tensor(scores), (weight**2).sort().values)
    assert 0 < kept.sum() < len(kept)


def test_a_new_criterion_agrees_with_magnitude():
    agreement = measure_agreement(RECIPE, ("magnitude", "squared"), 0.8)
    assert agreement.jaccard.iloc[0, 1] > 0.999
    [evaluation] = evaluate([RECIPE.with_last_step(criterion="squared")])
    [magnitude] = evaluate([RECIPE])
    assert abs(evaluation.accuracy.correct - magnitude.accuracy.correct) <= 1
