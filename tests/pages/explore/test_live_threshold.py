"""The live threshold on Explore, without a browser: what it shows, and values that come back."""

import math

import pytest

from pages.explore import live_threshold
from pages.state.session import session
from pruning.recipe.recipe import Recipe
from tests.pages.common import charts, evaluated, live_histogram_of, opened

LENET5 = {"network": "lenet5", "dataset": "digits"}

pytestmark = pytest.mark.usefixtures("no_downloads")


def test_it_begins_with_what_the_recipe_removes():
    shown = live_histogram_of(opened(**LENET5, sparsity="0.7"))
    assert shown["value"] == 0.7 and shown["percent"]
    assert sum(group["removed"] for group in shown["groups"]) == round(0.7 * 61_470)


@pytest.mark.parametrize(
    "query",
    [
        {"scope": "custom", "values": "fc1=0.5", "sparsity": "0.1"},
        {"n_m": "2:4"},
        {"layers": "fc1", "histogram": "conv1", "sparsity": "0.5"},
        {"criterion": "random", "sparsity": "0.5"},
    ],
)
def test_other_thresholds_are_still(query):
    at = opened(**LENET5, **query)
    assert not at.exception
    assert len(at.get("bidi_component")) == 0
    assert len(charts(at)) == 4


@pytest.mark.usefixtures("no_curve")
def test_measured_accuracies_are_known_to_the_browser():
    at = opened(**LENET5, scope="erk", sparsity="0.7")
    for share in (80.0, 90.0):
        at.sidebar.slider(key="value").set_value(share).run()
    known = dict(live_histogram_of(at.run())["known"])
    assert set(known) == {0.7, 0.8, 0.9}
    assert (
        known[0.7]
        == evaluated(Recipe.one_step("lenet5", "digits", scope="erk", value=0.7)).accuracy.value
    )


def test_scores_have_a_live_threshold_too():
    at = opened(**LENET5, criterion="random", sparsity="0.5")
    at.main.segmented_control(key="histogram_of").set_value("Scores").run()
    assert live_histogram_of(at)["title"] == "score of the weight"


@pytest.fixture
def shown_recipe(monkeypatch):
    """A session that shows a recipe, and the list of the recipes that a release shows."""
    shown = []
    recipe = Recipe.one_step("lenet5", "digits", value=0.5)
    monkeypatch.setattr(live_threshold, "show_recipe", shown.append)
    monkeypatch.setattr(live_threshold.st, "session_state", {})
    monkeypatch.setattr(type(session), "recipe", recipe, raising=False)
    return shown


@pytest.mark.parametrize(
    "value, expected", [(0.71234, [0.712]), (1.0, [1.0]), ("0.5", []), (None, []), (True, [])]
)
def test_a_released_value_is_shown_in_steps_of_the_slider(shown_recipe, value, expected):
    live_threshold.st.session_state[live_threshold.KEY] = {"released": value}
    live_threshold._take_value()
    assert [recipe.last_step.value for recipe in shown_recipe] == expected


@pytest.mark.parametrize("value", [7.0, math.nan, 10**400])
def test_a_value_that_the_rule_does_not_know_is_said(shown_recipe, monkeypatch, value):
    messages = []
    monkeypatch.setattr(
        type(session), "message", property(None, lambda _, text: messages.append(text))
    )
    live_threshold.st.session_state[live_threshold.KEY] = {"released": value}
    live_threshold._take_value()
    assert shown_recipe == [] and len(messages) == 1
