import pytest
import torch

from pruning.engine.evaluate import validation_accuracy
from pruning.engine.prune import prune
from pruning.experiments.plan_search import (
    AccuracyCheck,
    KeptUnits,
    effective_parameters,
    match_size,
    most_pruned,
    refine,
)
from pruning.recipe.recipe import Recipe

one_step = Recipe.one_step
STEPS = [
    {"value": 0.87},
    {"value": 0.6, "scope": "layer"},
    {"value": 0.93, "scope": "erk"},
    {"value": 0.95, "criterion": "lamp"},
    {"value": 0.4, "method": "filter"},
    {"value": 1.0, "method": "filter"},
]


@pytest.mark.parametrize("step", STEPS)
def test_numbers_of_units_give_the_same_masks(step):
    recipe = one_step("lenet5", "digits", **step)
    kept = KeptUnits.of(recipe)
    assert kept.recipe.last_step.scope == "custom"
    expected, masks = prune(recipe).masks, prune(kept.recipe).masks
    assert set(masks) == set(expected)
    for name, mask in expected.items():
        assert torch.equal(masks[name], mask)


def test_numbers_of_units_count_what_previous_steps_left():
    recipe = one_step("lenet300", "digits", value=0.5)
    recipe = recipe.with_steps((*recipe.steps, *recipe.steps))
    kept = KeptUnits.of(recipe)
    assert effective_parameters(kept.recipe) == effective_parameters(recipe)
    assert sum(kept.units.values()) == 133_100  # half of 266,200 weights
    grown = kept.grown(10)
    assert grown.kept == kept.units and prune(grown.recipe).removed_units == 0


def test_a_grown_network_keeps_a_factor_more_of_each_layer():
    kept = KeptUnits.of(one_step("lenet300", "digits", value=0.9, scope="layer"))
    grown = kept.grown(1.5)
    for layer, count in kept.kept.items():
        assert grown.kept[layer] == pytest.approx(1.5 * count, abs=1)


@pytest.mark.parametrize("method, layer", [("weight", "fc1"), ("filter", "conv2")])
def test_a_layer_reduces_the_network_to_a_size_by_itself(method, layer):
    kept = KeptUnits.of(one_step("lenet5", "digits", method=method, value=0.3, scope="layer"))
    before = effective_parameters(kept.recipe)
    size = int(0.95 * before)
    reduced = kept.reduced_in(layer, size)
    assert effective_parameters(reduced.recipe) <= size
    assert {name for name in kept.kept if kept.kept[name] != reduced.kept[name]} == {layer}
    removed = kept.kept[layer] - reduced.kept[layer]
    fewer = kept.without(layer, int(0.9 * removed))
    assert effective_parameters(fewer.recipe) > size


def test_a_small_layer_cannot_reduce_the_network_much():
    kept = KeptUnits.of(one_step("lenet5", "digits", method="filter", value=0.3))
    assert kept.reduced_in("conv1", 1000) is None  # one filter of it always remains


def test_the_search_finds_the_limit():
    recipe = one_step("lenet300", "digits")
    check = AccuracyCheck(required=0.9, max_checks=30)
    found = most_pruned(recipe, check, None)
    assert validation_accuracy(found) >= 0.9
    kept = 1 - found.last_step.value
    assert validation_accuracy(recipe.with_last_step(value=1 - kept / 1.03)) < 0.9
    assert check.checks < 20


def test_a_search_ends_at_once_if_the_size_is_out_of_reach():
    check = AccuracyCheck(required=0.9, max_checks=30)
    assert most_pruned(one_step("lenet300", "digits"), check, 300) is None
    assert check.checks == 1


def test_a_search_goes_on_from_the_best_size():
    recipe = one_step("lenet300", "digits")
    found = most_pruned(recipe, AccuracyCheck(0.9, 30), 200_000)
    assert effective_parameters(found) < 200_000


def test_no_recipe_is_accepted_after_the_last_check():
    shares: list[float] = []
    check = AccuracyCheck(required=0.0, max_checks=2, report=shares.append)
    recipe = one_step("lenet300", "digits", value=0.5)
    assert check.keeps(recipe) and check.keeps(recipe)
    assert check.is_exhausted and not check.keeps(recipe)
    assert shares == sorted(shares) and shares[-1] == 1


def test_sizes_are_matched():
    recipe = one_step("lenet300", "digits", scope="erk")
    assert effective_parameters(match_size(recipe, 20_000)) == pytest.approx(20_000, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["weight", "filter"])
def test_a_refinement_keeps_the_accuracy_and_makes_smaller(method):
    start = KeptUnits.of(one_step("lenet300", "digits", method=method, value=0.2))
    required = validation_accuracy(start.recipe) - 0.03
    shares: list[float] = []
    refined = refine(start, required, shares.append)
    assert validation_accuracy(refined) >= required
    assert effective_parameters(refined) < effective_parameters(start.recipe)
    assert shares == sorted(shares) and 0 < shares[-1] <= 1


def test_a_refinement_without_a_way_is_the_start():
    start = KeptUnits.of(one_step("lenet300", "digits", value=0.2))
    assert refine(start, required=1.1) == start.recipe
