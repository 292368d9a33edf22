"""The Compare page, on built-in data."""

import pytest
from streamlit.testing.v1 import AppTest

from pruning.experiments.budgets import Budget, match_budget
from pruning.methods.rules import Rule
from pruning.recipe.recipe import Recipe
from tests.pages.common import charts, evaluated
from tests.pages.compare.common import (
    THREE,
    comparison,
    metrics,
    recipes_of_link,
    select_box,
)
from tests.pages.driver import click, finished

pytestmark = pytest.mark.usefixtures("no_downloads")


def accuracies(recipes) -> list[str]:
    return [f"{evaluated(recipe).accuracy.value:.2%}" for recipe in recipes]


def test_three_columns_at_the_same_budget():
    at = comparison()
    assert len(metrics(at, "Test accuracy")) == 3
    assert len(charts(at)) == 6
    assert all(chart.proto.alt for chart in at.get("plotly_chart"))
    at.main.segmented_control(key="budget").set_value("macs").run()
    at.main.slider(key="share_widgets, macs").set_value(40.0).run()
    finished(at)
    matched = [match_budget(recipe, Budget("macs", 0.4)).recipe for recipe in THREE]
    macs = [evaluated(recipe).effective.macs for recipe in matched]
    assert metrics(at, "Test accuracy") == accuracies(matched)
    assert metrics(at, "Effective MACs") == [f"{count / 416_520:.1%}" for count in macs]
    assert dict(at.query_params)["budget"] == "macs=0.4"


def test_a_column_has_the_same_colour_in_every_figure():
    at = comparison()
    first, _, third, *_ = charts(at)
    colours = [trace["marker"]["color"] for trace in first["data"]]
    assert colours == [trace["marker"]["color"] for trace in third["data"]]
    assert len(set(colours)) == 3


@pytest.mark.parametrize("budget", ["macs=0.5", "own"])
def test_each_column_is_pruned_once_in_a_run_of_the_page(monkeypatch, budget):
    threshold = Recipe.one_step("lenet5", "digits", rule="threshold", value=0.02)
    at = comparison([*THREE, threshold], budget=budget)
    calls, select = [], Rule.select

    def count(*arguments):
        calls.append(arguments)
        return select(*arguments)

    monkeypatch.setattr(Rule, "select", count)
    assert len(charts(at.run())) == 6
    assert len(calls) == 4


def test_columns_can_be_added_and_removed():
    at = comparison(THREE, budget="macs=0.5")
    finished(click(at, "Add a column"))
    assert len(metrics(at, "Test accuracy")) == 4
    finished(click(at, "Remove this column"))
    assert len(metrics(at, "Test accuracy")) == 3


def test_added_columns_have_different_seeds():
    at = comparison(THREE, budget="macs=0.5")
    for _ in range(3):
        click(at, "Add a column")
    finished(at)
    assert [recipe.seed for recipe in recipes_of_link(at)[3:]] == [0, 1, 2]
    assert len(metrics(at, "Test accuracy")) == 6


def test_a_budget_out_of_reach_is_a_warning():
    at = comparison([Recipe.one_step("lenet5", "digits", method="layer")], budget="macs=0.01")
    assert any("out of reach" in warning.value for warning in at.warning)


def test_a_budget_between_two_sizes_is_a_caption():
    at = comparison(
        [Recipe.one_step("lenet5", "digits", method="filter", scope="layer")], budget="macs=0.6"
    )
    assert not at.warning
    assert any("No sparsity leaves exactly" in caption.value for caption in at.main.caption)


def test_equal_accuracy():
    recipe = Recipe.one_step("lenet300", "digits")
    at = comparison([recipe], budget="accuracy=0.95")
    matched = match_budget(recipe, Budget("accuracy", 0.95)).recipe
    parameters = evaluated(matched).effective.parameters
    assert metrics(at, "Effective parameters") == [f"{parameters / 266_610:.1%}"]


def test_the_smallest_budget_and_another_grouping():
    recipe = Recipe.one_step(
        "resnet20",
        "digits",
        method="filter",
        grouping="across",
        scope="custom",
        values=(("conv1", 0.1),),
    )
    at = comparison([recipe], budget="macs=0")
    assert any("out of reach" in warning.value for warning in at.warning)
    at.main.segmented_control(key="budget").set_value("own").run()
    select_box(at, "Additions").set_value("inside").run()
    [edited] = recipes_of_link(finished(at))
    assert edited.last_step.values == ()


def test_a_cancelled_column_can_be_resumed(slow_column):
    at: AppTest = slow_column()
    click(at, "Cancel")
    assert not charts(at)
    slow_column.release()
    click(at, "Compute column 1")
    assert len(metrics(finished(at), "Test accuracy")) == 1
