from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from pruning.engine.prune import prune
from pruning.experiments.strength import with_sparsity, without_value
from pruning.methods.rules import RULES
from pruning.recipe.recipe import Recipe
from tests.pruning.recipe.strategies import recipes

one_step = Recipe.one_step


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_removes_at_most_the_share_and_as_much_as_it_can(recipe, rule):
    value = RULES[rule].patterns[0] if RULES[rule].patterns else 1.0
    own = recipe.with_last_step(rule=rule, value=value)
    shares = np.array([0.0, 0.5, 0.9, 1.0])
    reached = []
    for share in shares.tolist():
        stronger = with_sparsity(own, share)
        assert stronger.last_step.rule == rule
        reached.append(prune(stronger).sparsity)
    expected = np.array([0.0, 0.5, 0.75, 1.0]) if rule == "n_m" else shares  # steps of quarters
    highest = 1.0 if rule in ("sparsity", "threshold") else 0.99
    assert reached == pytest.approx(np.minimum(expected, highest).tolist(), abs=0.011)
    assert (np.array(reached) <= shares + 1e-9).all()


def test_a_sparsity_is_taken_as_it_is():
    recipe = one_step("lenet5", "digits", scope="erk", value=0.2)
    assert with_sparsity(recipe, 0.7) == recipe.with_last_step(value=0.7)


def test_only_the_value_of_the_last_step_changes():
    recipe = one_step("lenet300", "digits", rule="sigma", value=1.0, layers=("fc1",))
    stronger = with_sparsity(recipe, 0.8)
    assert stronger.with_last_step(value=1.0) == recipe
    assert prune(stronger).removed_share == pytest.approx(0.8, abs=0.001)


def test_values_of_single_layers_have_no_common_strength():
    recipe = one_step("lenet300", "digits", scope="custom", values=(("fc1", 0.1),))
    with pytest.raises(ValueError, match="one value for all layers: choose another scope"):
        with_sparsity(recipe, 0.5)


@settings(max_examples=50)
@given(recipes())
def test_without_its_value_a_recipe_is_the_same_at_all_strengths(recipe):
    rule = RULES[recipe.last_step.rule]
    other_value = rule.patterns[-1] if rule.patterns else 1.0
    other = recipe.with_last_step(value=other_value, values=())
    assert without_value(other) == without_value(recipe.with_last_step(values=()))
    assert without_value(without_value(recipe)) == without_value(recipe)
    assert replace(without_value(recipe), steps=recipe.steps) == recipe
