import pytest

from pruning.engine.evaluate import evaluate, validation_accuracy
from pruning.engine.prune import prune
from pruning.experiments.budgets import (
    BUDGETS,
    Budget,
    match_budget,
    remaining_share,
    search_cost,
)
from pruning.recipe.recipe import Recipe
from pruning.recipe.step import Step

one_step = Recipe.one_step
THREE = [
    one_step("lenet5-caffe", "digits"),
    one_step("lenet5-caffe", "digits", method="neuron", criterion="random", scope="layer"),
    one_step("lenet5-caffe", "digits", method="filter", scope="layer"),
]
ONE_UNIT = {"weight": 0.001, "neuron": 0.02, "filter": 0.05}
"""Approximate share of the cost that one unit more or less makes."""


@pytest.mark.parametrize("kind", ["parameters", "macs"])
@pytest.mark.parametrize("share", [0.15, 0.5, 0.9])
def test_every_recipe_has_the_same_share_left(kind, share):
    for recipe in THREE:
        matched = match_budget(recipe, Budget(kind, share))
        reached = remaining_share(matched.recipe, kind)
        assert reached == pytest.approx(share, abs=ONE_UNIT[recipe.last_step.method])
        assert bool(matched.problem) == (abs(reached - share) > min(0.01, share / 10))
        same_value = matched.recipe.with_last_step(value=recipe.last_step.value)
        assert same_value == recipe


def test_the_share_is_of_the_dense_network():
    recipe = one_step("lenet5-caffe", "digits", value=0.5)
    effective = prune(recipe).effective
    assert remaining_share(recipe, "parameters") == effective.parameters / 431_080
    assert remaining_share(recipe, "macs") == effective.macs / 2_293_000
    assert remaining_share(recipe.with_last_step(value=0.0), "macs") == 1


def test_a_budget_is_searched_to_the_last_weight():
    recipe = one_step("lenet5", "digits")
    for share in (0.02, 0.05, 0.1):
        matched = match_budget(recipe, Budget("macs", share))
        gap = abs(remaining_share(matched.recipe, "macs") - share)
        removed = round(matched.recipe.last_step.value * 61_470)
        neighbours = []
        for difference in (-2, -1, 1, 2):
            neighbour = recipe.with_last_step(value=(removed + difference) / 61_470)
            neighbours.append(abs(remaining_share(neighbour, "macs") - share))
        assert gap <= max(0.01 * share, min(neighbours))
        assert bool(matched.problem) == (gap > min(0.01, share / 10))


@pytest.mark.parametrize(
    "recipe, budget, value",
    [
        (THREE[2], Budget("macs", 0.5), 0.323651069693419),
        (THREE[1], Budget("macs", 0.15), 0.6504734099926779),
        (one_step("lenet5", "digits"), Budget("parameters", 0.15), 0.8520110501491183),
        (one_step("lenet5", "digits"), Budget("macs", 0.02), 0.9964630694861142),
        (
            one_step("lenet300", "digits", rule="threshold", value=0.1),
            Budget("parameters", 0.5),
            0.01664724573493004,
        ),
        (one_step("lenet300", "digits"), Budget("accuracy", 0.9), 0.939453125),
    ],
)
def test_results_are_those_of_the_first_edition(recipe, budget, value):
    """Values that version 0.0 found for the same budgets; one unit more or less may differ."""
    matched = match_budget(recipe, budget)
    assert matched.recipe.last_step.value == pytest.approx(value, abs=0.002)


def test_units_without_weights_change_no_cost():
    pixels = one_step("lenet5", "digits", method="feature", criterion="random")
    nothing = match_budget(pixels, Budget("macs", 0.5))
    assert nothing.recipe.last_step.value == 0
    assert nothing.problem.startswith("Nothing that it removes changes the effective MACs")


def test_the_budget_own_leaves_the_recipe_alone():
    recipe = one_step("lenet300", "digits", scope="custom", values=(("fc3", 0.0),))
    assert match_budget(recipe, Budget("own")) == match_budget(recipe, Budget("own", 0.1))
    assert match_budget(recipe, Budget("own")).recipe is recipe


def test_values_of_single_layers_become_one_and_that_is_said():
    own = one_step("lenet300", "digits", scope="custom", values=(("fc3", 0.0),))
    matched = match_budget(own, Budget("parameters", 0.5))
    assert matched.recipe.last_step.scope == "layer" and matched.recipe.last_step.values == ()
    assert matched.problem.startswith("One value is used for all layers.")


def test_a_pattern_stays_a_pattern():
    pattern = one_step("lenet300", "digits", rule="n_m", value="2:4")
    assert match_budget(pattern, Budget("macs", 0.5)).recipe.last_step.value == "2:4"


def test_a_budget_out_of_reach_is_explained():
    blocks = one_step("resnet20", "digits", method="layer")
    matched = match_budget(blocks, Budget("macs", 0.1))
    assert matched.problem.startswith("At least 18.")
    assert "10.00% is out of reach" in matched.problem
    assert matched.recipe.last_step.value == 1.0
    between = match_budget(blocks, Budget("macs", 0.97))
    assert between.is_nearest
    assert between.problem.startswith("No sparsity leaves exactly")


def test_previous_steps_may_leave_less_than_the_budget():
    after = Recipe("lenet300", "digits", (Step(value=0.9), Step(value=0.1)))
    matched = match_budget(after, Budget("parameters", 0.5))
    assert matched.problem.startswith("The previous steps leave only 10.")
    assert matched.recipe.last_step.value == 0


def test_equal_accuracy_is_chosen_on_validation_images():
    recipe = one_step("lenet300", "digits")
    matched = match_budget(recipe, Budget("accuracy", 0.95))
    value = matched.recipe.last_step.value
    assert matched.problem == "" and 0.5 < value < 1
    assert validation_accuracy(matched.recipe) >= 0.95
    assert validation_accuracy(recipe.with_last_step(value=value + 1 / 512)) < 0.95
    [evaluation] = evaluate([matched.recipe], "validation")
    assert validation_accuracy(matched.recipe) == evaluation.accuracy.value
    assert evaluation.accuracy.complete


def test_everything_may_go_where_chance_is_enough():
    recipe = one_step("lenet300", "digits")
    assert match_budget(recipe, Budget("accuracy", 0.05)).recipe.last_step.value == 1.0


def test_an_accuracy_out_of_reach_is_explained():
    recipe = one_step("lenet300", "digits")
    impossible = match_budget(recipe, Budget("accuracy", 1.0))
    assert impossible.problem.startswith("Without pruning it reaches 9")
    assert "on the validation images, not 100.00%" in impossible.problem
    assert impossible.recipe.last_step.value == 0
    after = Recipe("lenet300", "digits", (Step(value=0.99), Step(value=0.1)))
    problem = match_budget(after, Budget("accuracy", 0.99)).problem
    assert problem.startswith("The previous steps alone reach")


def test_the_limit_on_test_images_is_no_limit_on_validation_images():
    limited = one_step("lenet300", "digits", value=0.9, max_test_images=10)
    assert validation_accuracy(limited) == validation_accuracy(limited.on_all_images)


def test_the_search_reports_its_progress():
    shares: list[float] = []
    search_cost(one_step("lenet5", "digits"), Budget("macs", 0.05), shares.append)
    assert shares == sorted(shares) and shares[0] > 0 and shares[-1] <= 1
    shares.clear()
    match_budget(one_step("lenet300", "digits"), Budget("accuracy", 0.93), shares.append)
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1)


@pytest.mark.parametrize(
    "text, message",
    [
        ("macs", "must be like macs=0.5"),
        ("macs=", "must be like macs=0.5"),
        ("macs=a", "must be like macs=0.5"),
        ("macs=\u0660.\u0665", "must be like macs=0.5"),
        ("flops=0.5", "must be like macs=0.5"),
        ("own=1=2", "must be like macs=0.5"),
        ("=0.5", "must be like macs=0.5"),
        ("", "must be like macs=0.5"),
        ("macs=2", "macs must be between 0 and 1, not 2.0"),
        ("macs=nan", "macs must be between 0 and 1, not nan"),
        ("accuracy=-1", "accuracy must be between 0 and 1, not -1.0"),
        ("x" * 10_000, "must be like macs=0.5"),
    ],
)
def test_text_that_is_no_budget_is_refused(text, message):
    with pytest.raises(ValueError, match=r"^budget .* must be") as error:
        Budget.from_text(text)
    assert message in str(error.value) and len(str(error.value)) < 200


@pytest.mark.parametrize(
    "content, message",
    [
        (5, "a budget is an object with kind"),
        (None, "a budget is an object with kind"),
        ("macs=0.5", "a budget is an object with kind"),
        ([], "a budget is an object with kind"),
        ({}, "a budget is an object with kind"),
        ({"share": 0.5}, "a budget is an object with kind"),
        ({"kind": None, "share": 0.5}, "a budget is an object with kind"),
        ({"kind": ["macs"], "share": 0.5}, "a budget is an object with kind"),
        ({"kind": "flops", "share": 0.5}, "unknown budget 'flops': choose from parameters, macs"),
        ({"kind": "macs"}, "macs must be between 0 and 1, not None"),
        ({"kind": "macs", "share": "0.5"}, "macs must be between 0 and 1, not '0.5'"),
        ({"kind": "macs", "share": True}, "macs must be between 0 and 1, not True"),
        ({"kind": "macs", "share": [1]}, r"macs must be between 0 and 1, not \[1\]"),
        ({"kind": "macs", "share": float("nan")}, "macs must be between 0 and 1, not nan"),
        ({"kind": "macs", "share": 10**400}, "macs must be between 0 and 1, not 1000"),
    ],
)
def test_json_that_is_no_budget_is_refused(content, message):
    with pytest.raises(ValueError, match=message) as error:
        Budget.from_dict(content)
    assert len(str(error.value)) < 200


def test_budgets_as_text_and_json():
    assert Budget.from_text("macs=0.5") == Budget("macs", 0.5)
    assert Budget.from_text(" parameters =0.25") == Budget("parameters", 0.25)
    assert Budget.from_text("own").kind == "own"
    for kind in BUDGETS:
        budget = Budget(kind, 0.25)
        again = Budget.from_dict(budget.to_dict())
        assert again.to_dict() == budget.to_dict() and again.kind == kind
        assert Budget.from_text(budget.to_text()).to_text() == budget.to_text()
    assert Budget("own").to_dict() == {"kind": "own", "share": None}
    assert Budget.from_dict({"kind": "own"}).kind == "own"
