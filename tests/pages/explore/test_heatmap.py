"""The heatmap on Explore, on built-in data."""

import pytest

from tests.pages.common import opened

pytestmark = pytest.mark.usefixtures("no_downloads")


@pytest.mark.parametrize(
    "method, heading, alt",
    [
        ("weight", "Share removed of each unit", "Heatmap of the share of removed weights"),
        ("feature", "Score of each pixel", "pixel"),
    ],
)
def test_shares_of_units_or_scores_of_pixels(method, heading, alt):
    at = opened(network="lenet5", dataset="digits", method=method, sparsity="0.5")
    assert f"## {heading}" in [text.value for text in at.main.markdown]
    assert any(alt in chart.proto.alt for chart in at.get("plotly_chart"))
