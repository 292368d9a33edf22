"""The cards of steps in the sidebar of Explore, on built-in data."""

import pytest

from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_to_query
from pruning.recipe.step import Step
from tests.pages.common import numbers, opened, recipe_of, settled, shown

LENET = {"network": "lenet5", "dataset": "digits"}

pytestmark = pytest.mark.usefixtures("no_downloads")


def test_steps_can_be_added_reordered_and_removed():
    at = opened(**LENET, sparsity="0.5")
    labels = [button.label for button in at.sidebar.button if "Download" not in button.label]
    assert labels == ["Add a step"]
    next(button for button in at.sidebar.button if button.label == "Add a step").click().run()
    assert numbers(at)["Sparsity"] == "75.00%"  # each step prunes what the one before has left
    settled(at.sidebar.selectbox(key="method").set_value("filter").run())
    at.sidebar.segmented_control[0].set_value("layer").run()
    expected = Recipe("lenet5", "digits", (Step(), Step(method="filter", scope="layer")))
    assert recipe_of(at).steps == expected.steps
    assert numbers(at) == shown(expected)
    at.sidebar.button(key="raise step 1").click().run()
    assert recipe_of(at).steps == expected.steps[::-1]
    assert at.sidebar.selectbox(key="method").value == "filter"  # still the chosen step
    at.sidebar.button(key="choose step 1").click().run()
    assert at.sidebar.selectbox(key="method").value == "weight"
    at.sidebar.slider[0].set_value(80.0).run()
    assert [step.value for step in recipe_of(at).steps] == [0.5, 0.8]
    at.sidebar.button(key="remove step 0").click().run()
    last = Recipe.one_step("lenet5", "digits", value=0.8)
    assert recipe_of(at) == last
    assert numbers(at) == shown(last)


def test_the_summary_is_of_the_chosen_step():
    at = opened(**LENET, earlier='[{"method":"weight","value":0.2}]', sparsity="0.5")
    summary = next(text.value for text in at.sidebar.caption if "percentile" in text.value)
    assert "50.00%" in summary
    at.sidebar.button(key="choose step 0").click().run()
    summary = next(text.value for text in at.sidebar.caption if "percentile" in text.value)
    assert "20.00%" in summary


def test_a_link_carries_all_steps():
    steps = (
        Step(method="layer", criterion="loss_change", value=0.34),
        Step(method="filter", criterion="taylor", value=0.3),
        Step(rule="sigma", value=1.25),
    )
    recipe = Recipe("lenet5", "digits", steps, calibration=64)
    at = opened(**recipe_to_query(recipe))
    assert numbers(at) == shown(recipe)
    assert recipe_of(at) == recipe
    assert not at.warning
    labels = [button.label for button in at.sidebar.button]
    for label in ("1 · Layers, 34%", "2 · Filters, 30%", "3 · Weights, 1.25"):
        assert label in labels
