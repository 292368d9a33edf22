"""Links of Explore and of other pages that show a recipe, on built-in data."""

import pytest

from pages.state import url
from pages.state.messages import UNEXPECTED
from pruning.models import checkpoints
from tests.pages.common import numbers, opened, plain
from tests.pages.driver import opened_page, warning

pytestmark = pytest.mark.usefixtures("no_downloads")

LENET5 = {"network": "lenet5", "dataset": "digits"}


@pytest.mark.parametrize(
    "query, part",
    [
        ({"network": "vgg"}, "unknown network 'vgg': choose from lenet300"),
        ({"sparsity": "7"}, "sparsity must be between 0 and 1, not 7.0"),
        ({"sparsity": "<script>"}, "sparsity must be a number"),
        ({"network": "lenet5", "layers": "fc9"}, "unknown layer 'fc9' of lenet5"),
        ({"network": "lenet5", "dataset": "mnist"}, "MNIST is not on this machine"),
        (
            {"network": "![](http://localhost/x.png)"},
            "unknown network '![](http://localhost/x.png)'",
        ),
        ({"network": "resnet56", "dataset": "digits"}, "Digits has no checkpoint for ResNet-56"),
        ({**LENET5, "earlier": "["}, "earlier is not JSON"),
        ({**LENET5, "earlier": "{}"}, "earlier must be a list of steps"),
        ({**LENET5, "earlier": '[{"x": 1}]'}, "unknown step field 'x'"),
        ({**LENET5, "earlier": "[1]"}, "a step is an object"),
        ({**LENET5, "earlier": '[{"value": 1e999}]'}, "sparsity must be"),
        ({**LENET5, "scope": "custom", "values": "fc1"}, "must be a number"),
        ({**LENET5, "scope": "custom", "values": "fc1=nan"}, "sparsity must be"),
        ({**LENET5, "method": "filter", "criterion": "lamp"}, "does not score"),
        ({**LENET5, "n_m": "9:1"}, "n_m must be like 2:4"),
        ({**LENET5, "method": "filter", "n_m": "2:4"}, "does not go with filters"),
        ({**LENET5, "calibration": "99999999"}, "calibration must be"),
        ({**LENET5, "measure": "x", "method": "filter"}, "unknown measure 'x'"),
        ({**LENET5, "grouping": "across"}, "there is no grouping to choose"),
        ({**LENET5, "max_over_n": "0"}, "max_over_n must be"),
    ],
)
def test_a_bad_link_is_explained_and_the_page_opens(query, part):
    at = opened(**query)
    assert part in plain(at.warning[0])
    assert numbers(at)["Sparsity"] == "50.00%"
    assert "](" not in at.warning[0].value  # shown, not followed
    at.run()
    assert not at.warning  # said once


def test_unknown_keys_of_a_link_are_reported():
    at = opened(**LENET5, sparsity="0.8", foo="1", **{"<b>": "2"})
    assert "keys without a meaning here, which are ignored: foo, <b>" in plain(at.warning[0])
    assert numbers(at)["Sparsity"] == "80.00%"
    assert "foo" not in dict(at.query_params)


def networks_on_digits() -> str:
    pairs = checkpoints.shipped()
    return ", ".join(network for network, dataset in pairs if dataset == "digits")


@pytest.mark.parametrize("name, valid", [("network", networks_on_digits()), ("dataset", "digits")])
def test_an_unknown_name_is_answered_with_those_on_this_machine(name, valid):
    at = opened(**{**LENET5, name: "nowhere"})
    sentence = plain(at.warning[0])
    assert f"unknown {name} 'nowhere': choose from {valid}. This is the default" in sentence
    assert "resnet56" not in sentence


@pytest.mark.parametrize(
    "query, part",
    [
        ({"mask": "<b>"}, "mask must be one of conv1, conv2, fc1, fc2, fc3, not '<b>'"),
        ({"mask": "input"}, "mask must be one of conv1, conv2, fc1, fc2, fc3, not 'input'"),
        ({"histogram": "x"}, "histogram must be one of all layers, conv1, conv2, fc1, fc2, fc3"),
        ({"log": "1"}, "log must be one of True, False, not '1'"),
    ],
)
def test_a_bad_value_of_the_view_is_reported_and_the_recipe_is_shown(query, part):
    at = opened(**LENET5, sparsity="0.8", **query)
    assert part in plain(at.warning[0])
    assert "This is the default instead" in plain(at.warning[0])
    assert numbers(at)["Sparsity"] == "80.00%"
    assert at.main.selectbox(key="mask").value == "conv1"
    assert at.main.selectbox(key="histogram").value == "all layers"
    assert at.main.toggle[0].value is False
    at.run()
    assert not at.warning


def test_the_mask_of_the_image_can_be_linked_where_a_step_removes_pixels():
    pixels = {"method": "feature", "criterion": "random"}
    at = opened(**LENET5, **pixels, sparsity="0.5", mask="input")
    assert not at.warning
    assert at.main.selectbox(key="mask").value == "input"
    assert "mask" not in dict(at.query_params)  # the default
    at = opened(**LENET5, **pixels, sparsity="0.5", mask="conv1")
    assert dict(at.query_params)["mask"] == "conv1"


def test_a_layer_of_another_network_is_not_written_into_the_link():
    at = opened(**LENET5, mask="conv2", histogram="conv2")
    assert not at.warning
    at.sidebar.selectbox(key="network").set_value("lenet300").run()
    query = dict(at.query_params)
    assert query["network"] == "lenet300"
    assert query.get("mask", "fc1") == "fc1"
    assert "histogram" not in query


def test_the_link_decides_on_the_view_after_the_back_button(monkeypatch):
    at = opened(**LENET5, mask="conv2", histogram="fc1", log="True")
    assert at.main.selectbox(key="mask").value == "conv2"
    monkeypatch.setattr(url, "is_history_navigation", lambda: True)
    at.query_params.clear()
    at.query_params.update(LENET5 | {"histogram": "fc2"})
    at.run()
    assert at.main.selectbox(key="mask").value == "conv1"
    assert at.main.selectbox(key="histogram").value == "fc2"
    assert at.main.toggle[0].value is False


def test_everything_that_is_wrong_with_a_link_is_reported():
    at = opened(network="vgg", foo="1", mask="conv1")
    sentence = plain(at.warning[0])
    assert "without a meaning here, which are ignored: foo" in sentence
    assert "unknown network 'vgg'" in sentence


def test_the_text_of_an_unexpected_error_is_not_shown(monkeypatch):
    def fail(query, default):
        raise AttributeError("'int' object has no attribute 'get'")

    monkeypatch.setattr(url, "recipe_from_query", fail)
    at = opened(**LENET5)
    assert UNEXPECTED in plain(at.warning[0])
    assert "attribute" not in plain(at.warning[0])
    assert numbers(at)["Sparsity"] == "50.00%"


def test_the_sampling_of_a_link_is_shown_where_the_criterion_does_not_use_it():
    at = opened(**LENET5, calibration="64", seed="7")
    assert at.sidebar.number_input(key="calibration").value == 64
    assert at.sidebar.number_input(key="seed").value == 7


def test_a_maximum_loss_of_zero_is_linked():
    at = opened_page("sensitivity", **LENET5, method="layer", lose="0")
    assert not at.warning
    assert dict(at.query_params)["lose"] == "0.0"


@pytest.mark.parametrize("text", ["51", "-1", "nan", "1e99999"])
def test_a_maximum_loss_out_of_range_is_reported(text):
    at = opened_page("sensitivity", **LENET5, method="layer", lose=text)
    assert f"lose must be from 0 to 50 points, not {text}" in warning(at)
    assert "This is the default instead" in warning(at)
    assert dict(at.query_params)["lose"] == "1.0"
