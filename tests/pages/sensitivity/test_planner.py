"""The planner of Sensitivity, on built-in data."""

import pytest

from pruning.engine.evaluate import evaluate
from pruning.experiments.sensitivity import scan_layers
from pruning.experiments.sparsity_plan import plan_sparsities
from pruning.recipe.recipe import Recipe
from tests.pages.common import numbers
from tests.pages.driver import click, finished, opened_page, warning

LENET5 = {"network": "lenet5", "dataset": "digits"}


pytestmark = pytest.mark.usefixtures("no_downloads")


def test_a_plan_follows_from_the_scan():
    at = finished(opened_page("sensitivity", **LENET5))
    plan = plan_sparsities(scan_layers(Recipe.one_step("lenet5", "digits")), 1.0)
    table = at.dataframe[0].value
    assert list(table["effective_parameters"]) == [
        plan.plan.effective.parameters,
        *(baseline.effective.parameters for baseline in plan.baselines),
    ]
    [evaluation] = evaluate([plan.plan.recipe])
    assert table["test_accuracy"][0] == evaluation.accuracy.value


def test_the_table_names_the_start_and_the_baselines():
    at = finished(opened_page("sensitivity", **LENET5))
    plan, *baselines = list(at.dataframe[0].value["plan"])
    assert plan.startswith("plan: ")
    names = [baseline.partition(":")[0] for baseline in baselines]
    assert names == ["global", "uniform", "ERK", "LAMP"]
    assert not any("after recovery" in caption.value for caption in at.main.caption)


@pytest.mark.slow
def test_a_plan_is_judged_after_the_recovery():
    recipe = Recipe.one_step("lenet300", "digits", method="filter", recovery=("reconstruct",))
    plan = plan_sparsities(scan_layers(recipe), 1.0)
    query = {"network": "lenet300", "method": "filter", "recovery": "reconstruct"}
    at = finished(opened_page("sensitivity", **(LENET5 | query)))
    table = at.dataframe[0].value
    assert table["validation_accuracy"][0] == plan.plan.validation
    captions = [caption.value for caption in at.main.caption]
    assert any("after recovery: reconstruction" in caption for caption in captions)


def test_a_plan_that_may_lose_more_is_smaller_and_opens_on_explore():
    at = finished(opened_page("sensitivity", **LENET5))
    parameters = at.dataframe[0].value["effective_parameters"][0]
    at.main.number_input(key="lose").set_value(5.0).run()
    smaller = finished(at).dataframe[0].value
    assert dict(at.query_params)["lose"] == "5.0"
    assert smaller["effective_parameters"][0] <= parameters
    click(at, "Open the plan on Explore")
    plan = plan_sparsities(scan_layers(Recipe.one_step("lenet5", "digits")), 5.0)
    [evaluation] = evaluate([plan.plan.recipe])
    shown = numbers(at)
    assert shown["Test accuracy"] == f"{evaluation.accuracy.value:.2%}"
    assert shown["Sparsity"] == f"{evaluation.sparsity:.2%}"


def test_a_link_carries_the_maximum_loss():
    at = opened_page("sensitivity", **LENET5, lose="3.5")
    at = finished(at)
    assert at.main.number_input(key="lose").value == 3.5
    assert dict(at.query_params)["lose"] == "3.5"
    assert not at.warning


@pytest.mark.parametrize("text", ["51", "-1", "nan"])
def test_a_loss_out_of_range_is_reported(text):
    at = opened_page("sensitivity", **LENET5, lose=text)
    assert "lose must be from 0 to 50 points" in warning(at)
    assert "This is the default instead" in warning(at)


def test_a_loss_that_is_not_a_number_is_reported():
    at = opened_page("sensitivity", **LENET5, lose="x")
    assert "lose must be a number" in warning(at)
