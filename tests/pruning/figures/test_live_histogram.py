"""The data of the histogram whose threshold the browser moves."""

import json
from dataclasses import replace

import numpy as np
import pytest

from pruning.engine.caches import clear_caches
from pruning.engine.prune import prune
from pruning.experiments.threshold_table import threshold_table
from pruning.figures.live_histogram import live_histogram
from pruning.recipe.recipe import Recipe

NETWORKS = [("lenet300", "digits"), ("resnet20", "digits")]


def data_of(recipe: Recipe, layer=None, *, of_weights=True, log=False) -> dict:
    pruned = prune(recipe)
    table = threshold_table(recipe)
    return live_histogram(pruned, table, layer=layer, of_weights=of_weights, log=log)


@pytest.mark.parametrize("network, dataset", NETWORKS)
def test_every_weight_is_in_a_bin(network, dataset):
    recipe = Recipe.one_step(network, dataset, value=0.7)
    data = data_of(recipe)
    values, kept = prune(recipe).weights()
    bins = np.array([group["bins"] for group in data["groups"]]).sum(0)
    ends = (data["low"], data["high"])
    expected, _ = np.histogram(np.clip(values, *ends), len(data["kept"]), ends)
    counted = bins + np.array(data["kept"]) + np.array(data["removed"])
    assert counted.sum() == len(values) and (counted == expected).all()
    assert sum(group["removed"] for group in data["groups"]) == int((~kept).sum())
    assert data["parameters"] == prune(recipe).masked.parameters
    assert f"the {len(kept):,} weights of all layers" in data["alt"]


@pytest.mark.parametrize("network, dataset", NETWORKS)
@pytest.mark.parametrize("scope", ["global", "layer"])
def test_it_is_small(network, dataset, scope):
    data = data_of(Recipe.one_step(network, dataset, scope=scope))
    assert len(json.dumps(data, separators=(",", ":"), allow_nan=False)) < 120_000


def test_what_earlier_steps_removed_stays_removed():
    first = Recipe.one_step("lenet5", "digits", value=0.4)
    recipe = replace(first, steps=(first.last_step, replace(first.last_step, value=0.5)))
    data = data_of(recipe)
    removed_before = round(0.4 * 61_470)
    assert sum(data["removed"]) == pytest.approx(removed_before, abs=1)
    assert sum(group["units"] for group in data["groups"]) == 61_470 - sum(data["removed"])


def test_layers_that_take_no_part_stay_kept():
    data = data_of(Recipe.one_step("lenet5", "digits", layers=("fc1",)))
    assert [group["name"] for group in data["groups"]] == ["fc1"]
    assert sum(data["kept"]) == 61_470 - 48_000


def test_one_layer_is_shown_and_all_are_counted():
    data = data_of(Recipe.one_step("lenet5", "digits"), layer="conv2", log=True)
    shown = [group["name"] for group in data["groups"] if group["bins"]]
    assert shown == ["conv2"] and len(data["groups"]) == 5 and data["log"]
    assert sum(data["groups"][1]["bins"]) == 2_400


def test_thresholds_that_layers_share_stand_once():
    common = data_of(Recipe.one_step("lenet5", "digits"))
    own = data_of(Recipe.one_step("lenet5", "digits", scope="layer"))
    assert common["thresholds"] and common["groups"][0]["thresholds"] is None
    assert own["thresholds"] is None and len(own["groups"][0]["thresholds"]) == len(own["values"])


def test_scores_of_filters():
    recipe = Recipe.one_step("lenet5", "digits", method="filter", value=0.5)
    data = data_of(recipe, of_weights=False)
    assert (data["unit"], data["title"]) == ("filter", "score of the filter")
    assert not data["mirrored"] and data["low"] >= 0
    bins = sum(sum(group["bins"]) for group in data["groups"])
    assert bins + sum(data["kept"]) == sum(group["units"] for group in data["groups"])


def test_numbers_without_bound_stay_finite():
    recipe = Recipe.one_step("lenet5", "digits", method="filter", rule="mean_std", value=-1.7e308)
    data = data_of(recipe, of_weights=False)
    json.dumps(data, allow_nan=False)


@pytest.mark.parametrize("method", ["weight", "filter"])
def test_bins_are_counted_once_for_all_values_of_a_rule(method, monkeypatch):
    of_weights = method == "weight"
    recipe = Recipe.one_step("lenet5", "digits", method=method, value=0.2)
    first = data_of(recipe, of_weights=of_weights)
    with monkeypatch.context() as patch:
        patch.setattr(np, "histogram", None)
        moved = data_of(recipe.with_last_step(value=0.7), of_weights=of_weights)
    clear_caches()
    assert data_of(recipe.with_last_step(value=0.7), of_weights=of_weights) == moved
    assert moved["removed"] == first["removed"]
    assert [group["bins"] for group in moved["groups"]] == [g["bins"] for g in first["groups"]]
    other = data_of(recipe.with_last_step(layers=("conv2",)), of_weights=of_weights)
    assert [group["name"] for group in other["groups"]] == ["conv2"]


def test_what_another_network_keeps_is_counted_in_the_same_bins():
    recipe = Recipe.one_step("lenet5", "digits", value=0.7)
    values, kept = prune(recipe.with_last_step(value=0.4)).weights()
    data = live_histogram(
        prune(recipe),
        threshold_table(recipe),
        layer=None,
        of_weights=True,
        log=False,
        kept_in_a=values[kept],
    )
    ends = (data["low"], data["high"])
    expected, _ = np.histogram(np.clip(values[kept], *ends), len(data["kept"]), ends)
    assert data["kept_in_a"] == expected.tolist()
    assert data_of(recipe)["kept_in_a"] is None
