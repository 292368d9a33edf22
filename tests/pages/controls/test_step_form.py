"""The step form in the sidebar of Explore, on built-in data."""

import pytest

from pruning.methods.rules import RULES
from pruning.methods.units import METHODS
from pruning.recipe.compatibility import criteria_for, rules_for, scopes_for
from pruning.recipe.recipe import Recipe
from tests.pages.common import numbers, opened, recipe_of, removed_share, run_until, settled, shown

LENET = {"network": "lenet5", "dataset": "digits", "calibration": "64"}

pytestmark = pytest.mark.usefixtures("no_downloads", "no_curve")


def box(at, key):
    return at.sidebar.selectbox(key=key)


def scope(at):
    return at.sidebar.segmented_control[0]


@pytest.mark.parametrize("network", ["lenet5", "resnet20"])
@pytest.mark.parametrize("method", METHODS)
def test_every_criterion_of_every_method_is_one_choice_away(network, method):
    at = opened(network=network, dataset="digits", method=method, calibration="16", sparsity="0.3")
    criteria = criteria_for(network, method)
    assert len(box(at, "criterion").options) == len(criteria)
    for criterion in criteria:
        if network == "resnet20" and criterion == "loss_change" and method != "layer":
            continue  # a minute
        settled(box(at, "criterion").set_value(criterion).run())
        recipe = recipe_of(at)
        assert recipe.last_step.criterion == criterion
        assert recipe.last_step.method == method
        expected = shown(recipe)
        run_until(at, lambda expected=expected: numbers(at) == expected)  # not an estimate
        assert len(box(at, "rule").options) == len(rules_for(method, criterion))
        assert all(chart.proto.alt for chart in at.get("plotly_chart"))


@pytest.mark.parametrize(
    "method, criterion",
    [
        ("filter", "magnitude"),
        ("neuron", "loss_change"),
        ("weight", "magnitude"),
        ("feature", "class_entropy"),
        ("layer", "taylor"),
    ],
)
def test_every_rule_and_scope_can_be_chosen_and_the_share_stays(method, criterion):
    at = opened(**LENET, method=method, criterion=criterion, sparsity="0.4")
    for rule in rules_for(method, criterion):
        settled(box(at, "rule").set_value(rule).run())
        assert not at.exception
        assert not at.sidebar.error
        scopes = scopes_for(rule, method)
        for name in scopes:
            if len(scopes) > 1:
                scope(at).set_value(name).run()
            recipe = recipe_of(at)
            assert (recipe.last_step.rule, recipe.last_step.scope) == (rule, name)
            assert numbers(at) == shown(recipe), (rule, name)
        is_coarse = RULES[rule].patterns or rule in ("max_over_n", "relative")
        if not is_coarse and method != "layer":
            assert removed_share(recipe) == pytest.approx(0.4, abs=0.12), rule


def test_rules_that_make_no_sense_are_not_offered():
    at = opened(**LENET, method="filter")
    assert "N:M" not in box(at, "rule").options
    assert scope(at).options == ["global", "layer", "own"]
    box(at, "method").set_value("weight").run()
    assert "N:M" in box(at, "rule").options
    assert "ERK" in scope(at).options
    box(at, "rule").set_value("n_m").run()
    assert at.sidebar.selectbox(key="pattern").value == "2:4"
    assert not at.sidebar.slider
    assert scope(at).disabled
    at.sidebar.selectbox(key="pattern").set_value("1:4").run()
    assert numbers(at) == shown(Recipe.one_step("lenet5", "digits", rule="n_m", value="1:4"))


@pytest.mark.parametrize("network", ["lenet5", "resnet20"])
def test_subnetworks_can_be_chosen(network):
    at = opened(network=network, dataset="digits", method="layer", sparsity="0.6")
    single = numbers(at)
    assert box(at, "grouping").label == "Units"
    settled(box(at, "grouping").set_value("subnetwork").run())
    assert not at.exception
    recipe = recipe_of(at)
    assert recipe.last_step.grouping == dict(at.query_params)["grouping"] == "subnetwork"
    assert numbers(at) == shown(recipe) != single
    box(at, "grouping").set_value("single").run()
    assert "grouping" not in at.query_params
    assert numbers(at) == single


def test_the_switch_for_additions_is_there_where_there_are_additions():
    at = opened(
        network="resnet20", dataset="digits", method="filter", sparsity="0.2", scope="layer"
    )
    inside = numbers(at)
    assert box(at, "grouping").options == [
        "only inside residual blocks",
        "also across the additions, tied channels as one unit",
    ]
    box(at, "grouping").set_value("across").run()
    assert numbers(at) != inside
    assert dict(at.query_params)["grouping"] == "across"
    box(at, "network").set_value("lenet5").run()
    assert not at.exception
    assert "Additions" not in [selectbox.label for selectbox in at.sidebar.selectbox]


def test_a_rule_that_is_not_defined_is_replaced_with_a_message():
    at = opened(**LENET, sigma="1")
    box(at, "method").set_value("filter").run()
    [toast] = at.toast
    text = "The rule Sigma is not defined for Filters by Magnitude: it is now Sparsity."
    assert toast.value == text and box(at, "rule").value == "sparsity"
    at.run()
    assert not at.toast
