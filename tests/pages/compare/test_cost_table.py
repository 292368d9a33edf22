"""The cost report of a comparison, on built-in data."""

import pytest

from pruning.recipe.recipe import Recipe
from tests.pages.compare.common import comparison
from tests.pages.driver import click, finished

pytestmark = pytest.mark.usefixtures("no_downloads")


def test_the_cost_report_on_request():
    at = comparison([Recipe.one_step("lenet300", "digits")], budget="macs=0.5")
    finished(click(at, "Write the files and measure the latency"))
    assert any("Cost report" in text.value for text in at.main.markdown)
    assert "bytes of the file" in at.dataframe[0].value["quantity"].tolist()
    captions = [caption.value for caption in at.main.caption]
    assert any("masked and removed logits agree" in caption for caption in captions)
