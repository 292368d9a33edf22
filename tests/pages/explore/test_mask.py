"""The mask on Explore, on built-in data."""

import pytest

from tests.pages.common import charts, numbers, opened

pytestmark = pytest.mark.usefixtures("no_downloads")


def test_features_are_drawn_over_an_image():
    at = opened(
        network="lenet5",
        dataset="digits",
        calibration="64",
        method="feature",
        criterion="class_entropy",
        sparsity="0.5",
    )
    assert at.main.selectbox(key="mask").value == "input"
    assert numbers(at)["Sparsity"] == "0.00%"
    alts = [chart.proto.alt for chart in at.get("plotly_chart")]
    assert any("under the mask of its pixels: 50.0% removed" in alt for alt in alts)
    curve = charts(at)[-1]
    assert "input pixels removed" in curve["layout"]["xaxis"]["title"]["text"]
    assert curve["data"][-1]["x"] == [0.5]
