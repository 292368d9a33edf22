"""Adding a criterion, as README's section "Adding a criterion" shows it."""

from collections.abc import Iterator

import pytest
import torch

from pruning.engine.caches import clear_caches
from pruning.engine.evaluate import evaluate
from pruning.engine.prune import prune, trained_model
from pruning.experiments.agreement import measure_agreement
from pruning.methods.criteria import CRITERIA, Context
from pruning.methods.criteria.base import criterion
from pruning.recipe.compatibility import criteria_for, rules_for
from pruning.recipe.labels import recipe_label
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import (
    recipe_from_dict,
    recipe_from_query,
    recipe_to_dict,
    recipe_to_query,
)


@pytest.fixture
def squared() -> Iterator[str]:
    """A criterion that is registered for one test."""

    @criterion(
        "squared",
        label="Squared magnitude",
        formula=r"w^2",
        source="an example",
        applies_to=("weight",),
        help="The square of the weight.",
    )
    def squared(context: Context) -> dict[str, torch.Tensor]:
        return {name: context.weight(name) ** 2 for name in context.groups}

    yield "squared"
    CRITERIA.remove("squared")
    clear_caches()


def test_a_new_criterion_is_offered_scored_and_named(squared):
    assert criteria_for("lenet5", "weight")[-1] == squared
    assert squared not in criteria_for("lenet5", "filter")
    assert rules_for("weight", squared) and list(CRITERIA)[-1] == squared
    recipe = Recipe.one_step("lenet5", "digits", criterion=squared, value=0.8)
    assert recipe_from_dict(recipe_to_dict(recipe)) == recipe
    assert recipe_from_query(recipe_to_query(recipe), Recipe()) == recipe
    assert recipe_label(recipe) == "Weights by Squared magnitude"
    scores, kept = prune(recipe).scores("fc1")
    weight = trained_model(recipe).fc1.weight.detach().flatten()
    torch.testing.assert_close(torch.tensor(scores), (weight**2).sort().values)
    assert 0 < kept.sum() < len(kept)


def test_a_new_criterion_agrees_with_magnitude(squared):
    recipe = Recipe.one_step("lenet5", "digits", value=0.8)
    agreement = measure_agreement(recipe, ("magnitude", squared), 0.8)
    assert agreement.jaccard.iloc[0, 1] > 0.999
    [evaluation] = evaluate([recipe.with_last_step(criterion=squared)])
    [magnitude] = evaluate([recipe])
    assert abs(evaluation.accuracy.correct - magnitude.accuracy.correct) <= 1


def test_it_is_gone_afterwards():
    assert "squared" not in CRITERIA
    with pytest.raises(ValueError, match="unknown criterion 'squared'"):
        Recipe.one_step(criterion="squared")
