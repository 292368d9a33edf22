"""The row of numbers on Explore, on built-in data."""

import json
from types import SimpleNamespace

import pytest

from pages.explore import metrics
from pruning.engine.prune import prune
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_to_query
from tests.pages.common import opened

LENET = {"network": "lenet5", "dataset": "digits", "calibration": "64"}

pytestmark = pytest.mark.usefixtures("no_downloads")


def deltas(at) -> dict[str, str]:
    return {metric.label: metric.delta for metric in at.metric}


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_masked_and_effective_counts_stand_side_by_side(share):
    recipe = Recipe.one_step("lenet5", "digits", method="filter", scope="layer", value=share)
    at = opened(**recipe_to_query(recipe))
    pruned = prune(recipe)
    assert (pruned.effective.parameters < pruned.masked.parameters) == (share > 0)
    masked_ratio = pruned.dense.parameters / pruned.masked.parameters
    effective_ratio = pruned.dense.parameters / pruned.effective.parameters
    notes = deltas(at)
    assert notes["Parameters left (masked)"] == f"{masked_ratio:.2f}x compression"
    assert notes["MACs left (masked)"] == f"of {pruned.dense.macs:,} per image"
    captions = [caption.value for caption in at.main.caption]
    assert f"effective {pruned.effective.parameters:,} ({effective_ratio:.2f}x)" in captions
    assert f"effective {pruned.effective.macs:,}" in captions
    helps = {metric.label: metric.help for metric in at.metric}
    assert f"Masked: {pruned.masked.parameters:,} of" in helps["Parameters left (masked)"]
    assert f"Effective: {pruned.effective.macs:,}," in helps["MACs left (masked)"]


def test_the_sparsity_says_of_what_it_is_the_share():
    at = opened(**LENET, method="filter", scope="layer", sparsity="0.5")
    assert deltas(at)["Sparsity"] == "of 61,470 prunable weights"
    assert any("113 of 226 filters removed." in caption.value for caption in at.main.caption)


def test_a_dense_network_is_said_to_be_dense():
    at = opened(**LENET, sparsity="0")
    assert deltas(at)["Test accuracy"] == "as many images as dense"
    assert "the same images" in [caption.value for caption in at.main.caption]
    assert deltas(at)["Parameters left (masked)"] == "1.00x compression"


def test_the_table_says_which_counts_are_of_the_masks():
    at = opened(**LENET, sparsity="0.5")
    columns = json.loads(at.dataframe[0].proto.columns)
    assert columns["kept"]["label"] == "kept (masked)"
    assert columns["macs_left"]["label"] == "MACs left (masked)"


def test_the_number_to_prune_shows_both_numbers():
    at = opened(**LENET, method="filter", max_over_n="5")
    assert any("Asked to prune 5, removed 9" in caption.value for caption in at.main.caption)


@pytest.mark.parametrize(
    "network, images, must_wait, expected",
    [
        ("lenet5", 2_000, False, False),
        ("lenet5", 2_000, True, True),
        ("lenet5", 500, True, False),
        ("resnet20", 2_000, False, True),
        ("resnet20", 500, False, False),
    ],
)
def test_an_estimate_is_shown_for_slow_networks_and_while_others_wait(
    network, images, must_wait, expected
):
    evaluation = SimpleNamespace(
        recipe=Recipe.one_step(network, "digits"), tally=SimpleNamespace(images=images)
    )
    assert metrics.is_estimate_ready(evaluation, must_wait) is expected
