"""The recovery widget on Explore and Compare, and what it shows."""

import json

import pytest

from pruning.engine.evaluate import evaluate
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_to_dict, recipe_to_query
from tests.pages.common import numbers, opened, run_until

FILTERS = Recipe.one_step(
    "lenet5", "digits", method="filter", scope="layer", value=0.5, recovery=("reconstruct",)
)
LABEL = "Test accuracy (recovered)"

pytestmark = pytest.mark.usefixtures("no_downloads")


def recovered_accuracy() -> str:
    [evaluation] = evaluate([FILTERS])
    return f"{evaluation.accuracy.value:.2%}"


def test_a_link_shows_the_accuracy_before_and_after_recovery():
    at = opened(**recipe_to_query(FILTERS))
    run_until(at, lambda: LABEL in numbers(at))
    assert numbers(at)[LABEL] == recovered_accuracy()
    [masked] = evaluate([FILTERS.without_recovery])
    captions = [caption.value for caption in at.caption]
    assert any(f"{masked.accuracy.value:.2%} before; 1,024 tr" in text for text in captions)
    assert at.sidebar.selectbox(key="recovery").value == "reconstruct"


def test_a_choice_becomes_a_part_of_the_link_and_of_the_result():
    at = opened(**recipe_to_query(FILTERS.without_recovery))
    assert "Test accuracy" in numbers(at) and "recovery" not in at.query_params
    at.sidebar.selectbox(key="recovery").set_value("reconstruct").run()
    run_until(at, lambda: LABEL in numbers(at))
    assert dict(at.query_params)["recovery"] == "reconstruct"
    at.sidebar.selectbox(key="recovery").set_value("none").run()
    assert "Test accuracy" in numbers(at) and "recovery" not in at.query_params


def test_only_recoveries_of_the_network_are_offered():
    at = opened(network="lenet5", dataset="digits")
    assert at.sidebar.selectbox(key="recovery").options == ["None", "Reconstruction"]
    at.sidebar.selectbox(key="network").set_value("resnet20").run()
    options = at.sidebar.selectbox(key="recovery").options
    assert options == ["None", "Batch norm", "Reconstruction"]


def test_a_bad_name_in_a_link_is_explained():
    at = opened(network="lenet5", dataset="digits", recovery="batch_norm")
    assert not at.exception
    assert "choose from reconstruct" in at.warning[0].value.replace("\\", "")


def test_a_column_of_a_comparison_has_a_recovery_of_its_own():
    columns = [recipe_to_dict(FILTERS.without_recovery), recipe_to_dict(FILTERS)]
    at = opened()
    at.query_params.update({"budget": "own", "columns": json.dumps(columns)})
    at.switch_page("pages/compare/page.py").run()
    run_until(at, lambda: len([m for m in at.metric if m.label == "Test accuracy"]) == 2)
    values = [metric.value for metric in at.metric if metric.label == "Test accuracy"]
    assert values[1] == recovered_accuracy() != values[0]
    assert f"{values[0]} before recovery" in [caption.value for caption in at.caption]


def test_agreement_offers_no_recovery_and_keeps_that_of_the_recipe():
    at = opened(**recipe_to_query(FILTERS))
    run_until(at, lambda: LABEL in numbers(at))
    at.switch_page("pages/agreement/page.py").run()
    assert "Recovery" not in [widget.label for widget in at.sidebar.selectbox]
    assert dict(at.query_params)["recovery"] == "reconstruct"
