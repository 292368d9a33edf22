"""The Agreement page, on built-in data."""

import pytest

from pruning.experiments.agreement import measure_agreement
from pruning.methods.criteria import CRITERIA
from pruning.recipe.compatibility import criteria_for
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_to_query
from tests.pages.common import charts
from tests.pages.driver import finished, opened_page, warning

LENET5 = {"network": "lenet5", "dataset": "digits", "calibration": "64"}


pytestmark = pytest.mark.usefixtures("no_downloads")


def test_two_matrices_of_all_quick_criteria():
    at = opened_page("agreement", **LENET5, method="filter", scope="layer", sparsity="0.5")
    at = finished(at)
    criteria = at.main.multiselect[0].value
    all_criteria = criteria_for("lenet5", "filter")
    assert criteria == [name for name in all_criteria if not CRITERIA[name].is_slow]
    assert len(criteria) < len(all_criteria)
    recipe = Recipe.one_step(
        "lenet5",
        "digits",
        method="filter",
        scope="layer",
        criterion=criteria[0],
        calibration=64,
    )
    agreement = measure_agreement(recipe, criteria, 0.5)
    jaccard, correlation = charts(at)
    expected = [f"{value:.2f}" for value in agreement.jaccard.iloc[:, 1]]
    assert [row[1] for row in jaccard["data"][0]["text"]] == expected
    expected_correlation = f"{agreement.correlation.iloc[0, 2]:.2f}"
    assert correlation["data"][0]["text"][0][2] == expected_correlation
    assert all(chart.proto.alt for chart in at.get("plotly_chart"))


def test_one_criterion_alone_cannot_be_compared():
    at = finished(opened_page("agreement", **LENET5, method="weight", sparsity="0.5"))
    at.main.multiselect[0].set_value(["magnitude"]).run()
    assert not at.exception
    assert "two criteria or more" in at.info[0].value
    at.main.multiselect[0].set_value(["magnitude", "lamp"]).run()
    assert len(charts(finished(at))) == 2


def test_the_criteria_follow_the_method():
    at = finished(opened_page("agreement", **LENET5, method="weight", sparsity="0.5"))
    at.sidebar.selectbox(key="method").set_value("feature").run()
    assert not at.exception
    expected = [name for name in criteria_for("lenet5", "feature") if not CRITERIA[name].is_slow]
    assert at.main.multiselect[0].value == expected
    assert expected


def test_the_slider_says_of_what_the_sparsity_is():
    at = opened_page("agreement", **LENET5, method="filter", scope="layer", sparsity="0.5")
    slider = at.main.slider(key="agreement_sparsity")
    assert slider.label == "Sparsity (share of filters) at which they are compared"
    assert slider.value == 50.0
    slider.set_value(70.0).run()
    at.sidebar.selectbox(key="method").set_value("neuron").run()
    slider = at.main.slider(key="agreement_sparsity")
    assert slider.label == "Sparsity (share of neurons) at which they are compared"
    assert slider.value == 70.0


def test_a_bad_link_is_reported_on_this_page():
    at = opened_page("agreement", network="vgg")
    assert "unknown network" in warning(at)
    assert "This is the default instead" in warning(at)
    at.switch_page("pages/explore/page.py").run()
    assert not at.warning


def test_unknown_keys_of_a_link_are_named():
    at = opened_page("agreement", **LENET5, sparsity="0.5", speed="fast")
    assert "without a meaning here, which are ignored: speed" in warning(at)


def test_controls_that_make_no_difference_are_not_drawn():
    at = opened_page("agreement", **LENET5, method="weight", sparsity="0.5")
    labels = [each.label for each in at.sidebar.selectbox]
    assert "Method" in labels and not {"Criterion", "Rule", "Recovery"} & set(labels)
    [scope] = at.sidebar.button_group
    assert scope.label == "Scope" and len(scope.options) == 3  # none of its own for each layer


def test_values_of_single_layers_are_kept():
    recipe = Recipe.one_step("lenet5", "digits", scope="custom", values=(("fc1", 0.9),))
    at = opened_page("agreement", **recipe_to_query(recipe))
    assert not at.exception
    assert at.session_state["recipe"] == recipe
