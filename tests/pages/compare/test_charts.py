"""Figures, cost report and table below the columns, on built-in data."""

import pytest

from pruning.recipe.recipe import Recipe
from tests.pages.common import charts
from tests.pages.compare.common import THREE, comparison
from tests.pages.driver import click, finished

pytestmark = pytest.mark.usefixtures("no_downloads")


def test_the_curves_on_request():
    at = comparison([Recipe.one_step("lenet300", "digits")], budget="macs=0.5")
    finished(click(at, "Compute the curves"))
    curve, current = charts(at)[0]["data"]
    assert len(curve["x"]) > 8
    assert len(current["x"]) == 1


def test_the_overlap_of_the_removed_weights():
    at = comparison(THREE, budget="macs=0.5")
    assert any("Overlap of the removed weights" in text.value for text in at.main.markdown)
    [overlap] = [chart for chart in charts(at) if "Jaccard" in str(chart["data"][0])]
    assert [row[i] for i, row in enumerate(overlap["data"][0]["text"])] == ["1.00"] * 3


def test_the_table_has_a_row_for_each_column():
    table = comparison(THREE, budget="macs=0.5").dataframe[0].value
    assert list(table["column"]) == [1, 2, 3]
    assert {"accuracy_low", "accuracy_high", "effective_macs"} <= set(table.columns)
