"""The distribution on Explore and its controls, on built-in data."""

import pytest

from tests.pages.common import charts, live_histogram_of, opened

LENET = {"network": "lenet300", "dataset": "digits"}

pytestmark = pytest.mark.usefixtures("no_downloads")


def test_histogram_and_mask_follow_the_chosen_layer():
    at = opened(**LENET, sparsity="0.5")
    assert len(charts(at)) == 4  # the first layer also as a picture of its input pixels
    at.main.selectbox(key="mask").set_value("fc2").run()
    assert len(charts(at)) == 3
    at.main.selectbox(key="histogram").set_value("fc3").run()
    shown = live_histogram_of(at)
    assert shown["alt"].startswith("Histogram of the 1,000 weights of fc3")
    assert not shown["log"]
    at.main.toggle[0].set_value(True).run()
    assert live_histogram_of(at)["log"]


def test_the_link_carries_what_is_looked_at():
    at = opened(**LENET, histogram="fc2", mask="fc3", log="True", sparsity="0.5")
    assert at.main.selectbox(key="histogram").value == "fc2"
    assert at.main.selectbox(key="mask").value == "fc3"
    assert at.main.toggle[0].value is True
    at.main.selectbox(key="mask").set_value("fc2").run()
    assert dict(at.query_params)["mask"] == "fc2"
    assert dict(at.query_params)["histogram"] == "fc2"


def test_layers_of_a_link_that_do_not_exist_are_replaced():
    at = opened(**LENET, histogram="conv1", mask="<b>")
    assert at.main.selectbox(key="histogram").value == "all layers"
    assert at.main.selectbox(key="mask").value == "fc1"
