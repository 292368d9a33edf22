from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pruning.data.datasets import DATASETS
from pruning.methods.criteria import CRITERIA
from pruning.methods.units import METHODS
from pruning.recipe.compatibility import layers_for
from pruning.recipe.recipe import DEFAULT_CALIBRATION, MAX_SEED, MAX_STEPS, Recipe, draws_of
from pruning.recipe.step import Step
from tests.pruning.recipe.strategies import recipe_fields, recipes

one_step = Recipe.one_step


@settings(max_examples=80)
@given(recipe_fields())
def test_a_recipe_is_canonical_from_its_construction_on(given_fields):
    recipe = Recipe(**given_fields)
    canonical = {field.name: getattr(recipe, field.name) for field in fields(recipe)}
    assert Recipe(**canonical) == replace(recipe) == Recipe(**given_fields) == recipe
    assert len({recipe, replace(recipe), Recipe(**canonical)}) == 1
    assert all(step.grouping or not METHODS[step.method].groupings for step in recipe.steps)


def needs_data(recipe: Recipe) -> bool:
    return any(
        CRITERIA[step.criterion].needs_data or METHODS[step.method].needs_data
        for step in recipe.steps
    )


@settings(max_examples=80)
@given(recipe_fields(), st.data())
def test_recipes_that_differ_in_what_makes_no_difference_are_equal(given_fields, data):
    given_fields = given_fields | {"draw": 0}  # other numbers of images have other draws
    recipe = Recipe(**given_fields)
    seed = data.draw(st.integers(0, MAX_SEED), label="seed")
    reseeded = Recipe(**given_fields | {"seed": seed})
    assert (reseeded == recipe) == (not recipe.is_random or seed == recipe.seed)
    calibration = data.draw(st.integers(1, 1000), label="calibration")
    recalibrated = Recipe(**given_fields | {"calibration": calibration})
    uses_images = needs_data(recipe) or bool(recipe.recovery)
    assert (recalibrated == recipe) == (not uses_images or calibration == recipe.calibration)
    step = recipe.last_step
    chosen = tuple(data.draw(st.permutations(recipe.chosen_layers), label="layers"))
    assert recipe.with_last_step(layers=chosen) == recipe
    repeated = (*step.values, *((name, step.value) for name in recipe.chosen_layers))
    if step.scope == "custom" and not step.values:
        assert recipe.with_last_step(values=repeated) == recipe
    test_images = DATASETS[recipe.dataset].test_images
    assert replace(recipe, max_test_images=test_images) == recipe.on_all_images


def test_a_draw_is_one_of_those_that_the_dataset_has():
    taylor = one_step("lenet5", "digits", criterion="taylor", calibration=100)
    draws = draws_of("digits", 100)
    assert replace(taylor, draw=draws - 1).draw == draws - 1
    for draw in (draws, -1, 1.0, "1", True):
        with pytest.raises(ValueError, match=f"draw must be a whole number from 0 to {draws - 1}"):
            replace(taylor, draw=draw)
    with pytest.raises(ValueError, match="draw"):
        one_step("lenet5", "digits", criterion="taylor", draw=1)  # 1,024 images: a single draw


def test_a_draw_counts_where_images_are_used():
    assert one_step("lenet5", "mnist", draw=3) == one_step("lenet5", "mnist")
    assert one_step("lenet5", "mnist", criterion="taylor", draw=3).draw == 3
    recovered = one_step("lenet5", "mnist", recovery=("reconstruct",), draw=3)
    assert recovered.draw == 3 and recovered.without_recovery.draw == 0
    assert recovered.scoring_key == one_step("lenet5", "mnist").scoring_key


def test_recipes_with_the_same_result_are_equal():
    assert one_step(seed=1) == one_step(seed=2)
    assert one_step(criterion="random", seed=1) != one_step(criterion="random", seed=2)
    assert one_step(calibration=5) == one_step()
    assert one_step(criterion="taylor", calibration=5) != one_step(criterion="taylor")
    assert one_step(rule="sigma", scope="layer") == one_step(rule="sigma")
    assert one_step(scope="layer") != one_step(scope="global")
    assert one_step(value=0.1) != one_step(value=0.2)


def test_the_calibration_images_of_a_refit_make_a_difference():
    removal_of_layers = one_step(method="layer", criterion="magnitude", calibration=5)
    assert removal_of_layers.calibration == 5
    assert one_step(criterion="magnitude", calibration=5).calibration == DEFAULT_CALIBRATION


def test_steps_are_a_list():
    one = one_step(value=0.3)
    assert one.steps == (one.last_step,) and one.without_last_step is None
    two = one.with_steps((Step(method="filter", value=0.2), one.last_step))
    assert two.without_last_step == one_step(method="filter", value=0.2)
    assert two.last_step == one.last_step and two != one
    assert two.with_steps(two.steps) == two
    assert two.with_steps(two.steps[::-1]).last_step.value == 0.2
    same_scores = two.with_steps((two.previous_steps[0], Step(value=0.9)))
    assert two.scoring_key == same_scores.scoring_key != one.scoring_key


@settings(max_examples=50)
@given(recipes())
def test_prefixes_end_with_the_recipe(recipe):
    prefixes = list(recipe.prefixes())
    assert len(prefixes) == len(recipe.steps) and prefixes[-1] == recipe
    for shorter, longer in zip([None, *prefixes], prefixes, strict=False):
        assert longer.without_last_step == shorter


def test_the_last_step_is_replaced_and_canonical_again():
    recipe = one_step(value=0.3, scope="custom", values=(("conv1", 0.1),))
    changed = recipe.with_last_step(value=0.1)
    assert changed.last_step.values == () and recipe.last_step.values == (("conv1", 0.1),)
    assert one_step(criterion="random", seed=3).with_last_step(criterion="lamp").seed == 0


def test_a_pattern_is_written_one_way():
    assert one_step(rule="n_m", value="02:04") == one_step(rule="n_m", value="2:4")


def test_layers_are_kept_in_network_order_and_all_of_them_is_none():
    assert one_step(layers=("fc3", "conv1")) == one_step(layers=("conv1", "fc3"))
    recipe = one_step(layers=("fc3", "conv1"))
    assert recipe.last_step.layers == recipe.chosen_layers == ("conv1", "fc3")
    names = layers_for("lenet5", "weight", "")
    assert one_step(layers=names) == one_step(layers=None)
    assert one_step().chosen_layers == names


def test_moving_to_another_network_keeps_what_it_offers():
    recipe = Recipe(
        "lenet5",
        "mnist",
        (
            Step(method="filter", criterion="taylor", layers=("conv1",), value=0.3),
            Step(scope="custom", values=(("fc1", 0.9),)),
        ),
        calibration=5000,
        max_test_images=100,
    )
    assert recipe.moved_to("lenet5", "mnist") == recipe.on_all_images
    moved = recipe.moved_to("resnet20", "digits")
    assert (moved.network, moved.dataset, moved.max_test_images) == ("resnet20", "digits", None)
    assert moved.calibration < 5000  # as many as digits has
    assert moved.steps[0].layers is None and moved.steps[0].criterion == "taylor"
    assert moved.steps[1].values == () and moved.steps[1].scope == "custom"


def test_moving_replaces_a_criterion_that_the_network_does_not_offer():
    recipe = one_step("resnet20", "digits", method="filter", criterion="bn_scale", value=0.4)
    step = recipe.moved_to("lenet5", "digits").last_step
    assert (step.criterion, step.method, step.value) == ("magnitude", "filter", 0.4)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"network": "vgg"}, "unknown network 'vgg': choose from lenet300"),
        ({"network": "__class__"}, "unknown network"),
        ({"network": ["lenet5"]}, "unknown network"),
        ({"dataset": "svhn"}, "unknown dataset 'svhn': choose from digits"),
        ({"method": "neurons"}, "unknown method 'neurons': choose from weight"),
        ({"criterion": "l3"}, "unknown criterion 'l3': choose from magnitude"),
        ({"scope": "all"}, "unknown scope 'all': choose from global, layer"),
        ({"rule": "top"}, "unknown rule 'top': choose from sparsity, threshold"),
        ({"variant": "l7", "method": "filter"}, "unknown measure 'l7': choose from l1"),
        ({"grouping": "all", "method": "filter"}, "unknown grouping 'all': choose from"),
        ({"value": 1.5}, "sparsity must be between 0 and 1, not 1.5"),
        ({"value": float("nan")}, "sparsity must be between 0 and 1, not nan"),
        ({"value": -0.1}, "not -0.1"),
        ({"value": "0.5"}, "sparsity must be"),
        ({"rule": "sigma", "value": -1}, "sigma must be a number, 0 or more, not -1"),
        ({"rule": "n_m"}, "n_m must be like 2:4"),
        (
            {"method": "filter", "layers": ("fc3",)},
            "unknown layer 'fc3' of lenet5: choose from conv1, conv2, fc1, fc2",
        ),
        (
            {"method": "neuron"},
            "criterion 'magnitude' does not score neurons: choose from activation",
        ),
        ({"scope": "erk", "rule": "threshold"}, "scope 'erk' does not go with rule 'threshold'"),
        ({"calibration": 10_001}, "calibration must be a whole number from 1 to 10000"),
        ({"rule": "threshold", "value": 10**400}, "threshold must be a number"),
        ({"layers": ()}, "no layer chosen: choose from conv1"),
        ({"layers": ("conv9",)}, "unknown layer 'conv9' of lenet5: choose from conv1"),
        (
            {"scope": "custom", "values": (("conv9", 0.1),)},
            "unknown layer 'conv9' of lenet5: choose from conv1",
        ),
        ({"values": (("conv1", 0.1),)}, "values of single layers go with the scope 'custom'"),
        ({"scope": "custom", "values": (("conv1", 2.0),)}, "sparsity must be between 0 and 1"),
        ({"max_test_images": 0}, "images must be a whole number from 1 to 10000, not 0"),
        ({"max_test_images": 10_001}, "images must be"),
        ({"max_test_images": True}, "images must be"),
        ({"seed": -1}, "seed must be"),
        ({"seed": 10**5000}, "not a number of more than 18 digits"),
    ],
)
def test_bad_input_is_refused_with_what_is_valid(fields, message):
    with pytest.raises(ValueError, match=message):
        one_step(**fields)


@pytest.mark.parametrize(
    "steps, message",
    [
        ((Step(method="neuron"), Step()), "does not score neurons"),
        ((Step(),) * (MAX_STEPS + 1), "a recipe has 1 to 6 steps, not 7"),
        ((), "a recipe has 1 to 6 steps, not 0"),
    ],
)
def test_bad_steps_are_refused(steps, message):
    with pytest.raises(ValueError, match=message):
        Recipe(steps=steps)


def test_recoveries_are_brought_into_their_order_and_what_is_replaced_is_left_out():
    recipe = Recipe("resnet20", "cifar10", recovery=("reconstruct", "batch_norm", "reconstruct"))
    assert recipe.recovery == ("reconstruct",)
    assert Recipe("resnet20", "cifar10", recovery=("batch_norm",)).recovery == ("batch_norm",)
    assert recipe.uses_calibration and not recipe.without_recovery.uses_calibration


def test_a_recovery_that_changes_nothing_is_refused():
    with pytest.raises(ValueError, match="'batch_norm' needs batch norms, which lenet5 does not"):
        Recipe("lenet5", "mnist", recovery=("batch_norm",))
    with pytest.raises(ValueError, match="unknown recovery 'magic'"):
        Recipe(recovery=("magic",))


def test_scores_and_previous_steps_do_not_depend_on_the_recovery():
    recipe = Recipe("resnet20", "cifar10", (Step(), Step(value=0.3)), recovery=("batch_norm",))
    assert recipe.scoring_key == recipe.without_recovery.scoring_key
    assert recipe.without_last_step.recovery == ()
    assert [prefix.recovery for prefix in recipe.prefixes()] == [(), ("batch_norm",)]


def test_another_network_keeps_the_recoveries_that_it_offers():
    recipe = Recipe("resnet20", "cifar10", recovery=("batch_norm",))
    assert recipe.moved_to("lenet5", "mnist").recovery == ()
    recipe = Recipe("resnet20", "cifar10", recovery=("reconstruct",))
    assert recipe.moved_to("lenet5", "mnist").recovery == ("reconstruct",)
