import pytest

from pruning.experiments.plan_baselines import BASELINES, baselines_for
from pruning.recipe.recipe import Recipe

one_step = Recipe.one_step


def test_weights_have_every_baseline():
    recipes = baselines_for(one_step("lenet5", "digits", criterion="taylor", value=0.9))
    assert list(recipes) == list(BASELINES) == ["global", "uniform", "ERK", "LAMP"]
    steps = [recipe.last_step for recipe in recipes.values()]
    assert [step.scope for step in steps] == ["global", "layer", "erk", "global"]
    assert [step.criterion for step in steps] == ["taylor", "taylor", "taylor", "lamp"]


@pytest.mark.parametrize("method", ["filter", "neuron"])
def test_units_without_densities_of_weights_have_two(method):
    criterion = {"filter": "magnitude", "neuron": "activation"}[method]
    recipes = baselines_for(one_step("lenet5", "digits", method=method, criterion=criterion))
    assert list(recipes) == ["global", "uniform"]


def test_equal_baselines_appear_once():
    recipes = baselines_for(one_step("lenet5", "digits", criterion="lamp"))
    assert list(recipes) == ["global", "uniform", "ERK"]


def test_previous_steps_and_recovery_stay():
    recipe = one_step("lenet5", "digits", recovery=("reconstruct",))
    recipe = recipe.with_steps((*recipe.steps, *recipe.steps))
    for baseline in baselines_for(recipe).values():
        assert baseline.previous_steps == recipe.previous_steps
        assert baseline.recovery == recipe.recovery
