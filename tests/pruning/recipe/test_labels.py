from hypothesis import given, settings

from pruning.recipe.labels import recipe_label, short_labels
from pruning.recipe.recipe import Recipe
from pruning.recipe.step import Step
from tests.pruning.recipe.strategies import recipes

one_step = Recipe.one_step


def test_a_label_names_what_differs_from_the_defaults():
    assert recipe_label(one_step()) == "Weights by Magnitude"
    filters = one_step(method="filter", variant="l2", scope="layer", layers=("conv1", "fc1"))
    label = "Filters by Magnitude, L2, layerwise, only conv1, fc1"
    assert recipe_label(filters) == label
    subnetwork = one_step("resnet20", "digits", method="layer", grouping="subnetwork")
    assert recipe_label(subnetwork) == "Layers by Magnitude, subnetwork"
    across = one_step("resnet20", "digits", method="filter", grouping="across", rule="mean_std")
    assert recipe_label(across) == "Filters by Magnitude, across, Mean and deviation"
    assert recipe_label(one_step(rule="n_m", value="2:4")).endswith("2:4")
    custom = one_step(scope="custom", values=(("fc1", 0.9),))
    assert recipe_label(custom) == "Weights by Magnitude, per-layer values"
    taylor = one_step(criterion="taylor", calibration=2000)
    assert recipe_label(taylor) == "Weights by Taylor, 2,000 calibration images"


def test_the_seed_is_named_where_it_makes_a_difference_and_is_asked_for():
    recipe = one_step(criterion="random", seed=3)
    assert recipe_label(recipe) == "Weights by Random, seed 3"
    assert recipe_label(recipe, with_seed=False) == "Weights by Random"


def test_values_of_previous_steps_are_named_and_that_of_the_last_step_is_not():
    recipe = Recipe(steps=(Step(method="filter", scope="layer", value=0.25), Step(value=0.9)))
    label = "Filters by Magnitude, layerwise, 25% of filters + Weights by Magnitude"
    assert recipe_label(recipe) == label
    assert recipe_label(recipe, with_value=True) == f"{label}, 90% of weights"


@settings(max_examples=30)
@given(recipes())
def test_every_recipe_has_a_label_of_one_line(recipe):
    label = recipe_label(recipe)
    assert label and "\n" not in label and label.count(" + ") == len(recipe.steps) - 1


def test_short_labels_name_the_criterion_only_where_methods_repeat():
    filters, weights = one_step(method="filter"), one_step()
    assert short_labels([filters, weights]) == ["1. Filters", "2. Weights"]
    random = one_step(criterion="random")
    labels = short_labels([weights, random])
    assert labels == ["1. Weights, Magnitude", "2. Weights, Random"]
    labels = short_labels([random, one_step(criterion="random", seed=1)])
    assert labels == ["1. Weights, Random, seed 0", "2. Weights, Random, seed 1"]
    assert short_labels([]) == []


def test_a_run_is_named_by_its_hash_in_a_legend_and_in_full_elsewhere():
    recipe = Recipe.one_step("lenet5", "digits", checkpoint="lenet5-digits-finetune-0a1b2c3d")
    assert short_labels([recipe]) == ["1. Weights, run 0a1b2c3d"]
    assert recipe_label(recipe).endswith(", of run lenet5-digits-finetune-0a1b2c3d")
