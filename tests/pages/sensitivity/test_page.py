"""The Sensitivity page, on built-in data."""

import pytest

from pruning.experiments.sensitivity import scan_layers
from pruning.recipe.recipe import Recipe
from tests.pages.common import charts
from tests.pages.driver import finished, opened_page

LENET5 = {"network": "lenet5", "dataset": "digits"}


pytestmark = pytest.mark.usefixtures("no_downloads")


def test_a_scan_has_a_row_for_each_layer():
    at = finished(opened_page("sensitivity", **LENET5))
    assert len(charts(at)) == 2
    assert all(chart.proto.alt for chart in at.get("plotly_chart"))
    scan = scan_layers(Recipe.one_step("lenet5", "digits"))
    assert charts(at)[0]["data"][0]["y"] == list(scan.layers)
    assert any("Most sensitive first" in caption.value for caption in at.main.caption)


def test_a_scan_needs_layers():
    at = finished(opened_page("sensitivity"))
    at.sidebar.selectbox(key="method").set_value("layer").run()
    assert "layer by layer" in at.info[0].value
    assert "choose weights, filters or neurons." in at.info[0].value
    assert not charts(at)


def test_controls_that_make_no_difference_are_not_drawn():
    at = opened_page("sensitivity", **LENET5)
    labels = [each.label for each in [*at.sidebar.selectbox, *at.sidebar.button_group]]
    assert "Criterion" in labels
    assert not {"Rule", "Scope"} & set(labels)


def test_the_chosen_layers_are_kept():
    at = opened_page("sensitivity", **LENET5, sparsity="0.5", layers="fc1")
    assert dict(at.query_params)["layers"] == "fc1"
