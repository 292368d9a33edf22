"""Links of Explore, on built-in data."""

import pytest

from tests.pages.common import numbers, opened, plain

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
        ({**LENET5, "grouping": "across"}, "there is no grouping to choose here"),
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
