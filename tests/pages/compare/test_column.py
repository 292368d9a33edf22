"""The controls of a column, on built-in data."""

import pytest

from pruning.recipe.recipe import Recipe
from pruning.recipe.step import Step
from tests.pages.common import evaluated, removed_share
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


def test_each_column_with_its_own_value():
    recipes = [
        Recipe.one_step("lenet300", "digits", value=0.9),
        Recipe(
            "lenet300",
            "digits",
            steps=(Step(method="filter", value=0.3, scope="layer"), Step(value=0.5)),
        ),
    ]
    at = comparison(recipes, budget="own")
    assert metrics(at, "Test accuracy") == accuracies(recipes)
    assert recipes_of_link(at) == recipes
    at.main.slider[0].set_value(50.0).run()
    expected = Recipe.one_step("lenet300", "digits", value=0.5)
    assert metrics(finished(at), "Test accuracy")[0] == accuracies([expected])[0]


def test_looking_at_columns_of_other_rules_changes_nothing():
    at = comparison(
        [
            Recipe.one_step("lenet300", "digits", rule="threshold", value=0.02),
            Recipe.one_step("lenet300", "digits", rule="n_m", value="2:4"),
            Recipe.one_step("lenet300", "digits", scope="custom", values=(("fc1", 0.9),)),
        ],
        budget="own",
    )
    finished(at)
    values = [recipe.last_step.value for recipe in recipes_of_link(at)]
    assert values == [0.02, "2:4", 0.5]


def test_a_column_has_a_slider_of_shares_whatever_its_rule():
    at = comparison(
        [
            Recipe.one_step("lenet300", "digits", rule="threshold", value=0.02),
            Recipe.one_step("lenet300", "digits", rule="n_m", value="2:4"),
        ],
        budget="own",
    )
    at.main.slider[0].set_value(80.0).run()
    select_box(finished(at), "N:M").set_value("1:4").run()
    threshold, pattern = recipes_of_link(finished(at))
    assert threshold.last_step.value > 0.02
    assert pattern.last_step.value == "1:4"
    assert removed_share(threshold) == pytest.approx(0.8, rel=0.01)


def test_a_column_can_get_another_criterion_or_the_recipe_of_explore():
    at = comparison(THREE, budget="macs=0.5")
    select_box(at, "Criterion").set_value("taylor").run()
    first, *_ = recipes_of_link(finished(at))
    assert first.last_step.criterion == "taylor"
    at.switch_page("pages/explore/page.py").run()
    at.switch_page("pages/compare/page.py").run()
    click(finished(at), "Use the recipe of Explore")
    first, *_ = recipes_of_link(finished(at))
    assert first.last_step.method == "weight"
    assert first.last_step.criterion == "magnitude"
