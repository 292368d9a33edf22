"""The row of numbers on Explore, on built-in data."""

import pytest

from pruning.engine.prune import prune
from pruning.recipe.recipe import Recipe
from tests.pages.common import opened

LENET = {"network": "lenet5", "dataset": "digits", "calibration": "64"}

pytestmark = pytest.mark.usefixtures("no_downloads")


def deltas(at) -> dict[str, str]:
    return {metric.label: metric.delta for metric in at.metric}


def test_masked_and_effective_counts_stand_side_by_side():
    at = opened(**LENET, method="filter", scope="layer", sparsity="0.5")
    pruned = prune(Recipe.one_step("lenet5", "digits", method="filter", scope="layer"))
    assert pruned.effective.parameters < pruned.masked.parameters
    shown = deltas(at)
    assert f"effective {pruned.effective.parameters:,}" in shown["Parameters left"]
    assert f"effective {pruned.effective.macs:,}" in shown["MACs left"]
    helps = {metric.label: metric.help for metric in at.metric}
    assert f"Masked: {pruned.masked.parameters:,} of" in helps["Parameters left"]
    assert f"Effective: {pruned.effective.macs:,}," in helps["MACs left"]


def test_the_sparsity_says_of_what_it_is_the_share():
    at = opened(**LENET, method="filter", scope="layer", sparsity="0.5")
    assert deltas(at)["Sparsity"] == "of the 61,470 prunable weights"
    assert any("113 of 226 filters removed." in caption.value for caption in at.main.caption)


def test_a_dense_network_is_said_to_be_dense():
    at = opened(**LENET, sparsity="0")
    assert deltas(at)["Test accuracy"] == "as dense"
    assert "effective" not in deltas(at)["Parameters left"]


def test_the_number_to_prune_shows_both_numbers():
    at = opened(**LENET, method="filter", max_over_n="5")
    assert any("Asked to prune 5, removed 9" in caption.value for caption in at.main.caption)
