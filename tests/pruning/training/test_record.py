import json

import numpy as np
import pytest
import torch

from pruning.cost.macs import dense_cost
from pruning.engine.prune import prune
from pruning.models import prunable
from pruning.recipe.recipe import Recipe
from pruning.training.record import (
    HISTOGRAM_BINS,
    count_weights,
    histogram_edges,
    layer_sparsities,
    overall_sparsity,
    record_from_dict,
    share_near_zero,
    weight_deviation,
)
from tests.pruning.figures.run_records import record

WRONG = record(1).to_dict() | {"layer_sparsity": 3}
RECIPE = Recipe.one_step("lenet5", "digits", value=0.7)


def test_a_record_survives_json():
    one = record(1)
    assert record_from_dict(json.loads(json.dumps(one.to_dict()))) == one


@pytest.mark.parametrize(
    "field, value", [("train_accuracy", "x"), ("histogram", ["a"]), ("series", 3)]
)
def test_a_field_of_a_wrong_type_is_refused(field, value):
    with pytest.raises(ValueError, match="no record of each epoch"):
        record_from_dict(record(1).to_dict() | {field: value})


def weights_of(network) -> np.ndarray:
    model = network.copy()
    return torch.cat([layer.weight.flatten() for layer in prunable(model).values()]).numpy()


def test_the_histogram_counts_every_remaining_weight_once():
    network = prune(RECIPE).network
    counts = count_weights(network, 0.05)
    remaining = weights_of(network)
    remaining = remaining[remaining != 0]
    assert sum(counts) == len(remaining) and len(counts) == HISTOGRAM_BINS
    edges = histogram_edges(0.05)
    middle = HISTOGRAM_BINS // 2
    inside = (remaining >= edges[middle]) & (remaining < edges[middle + 1])
    assert counts[middle] == inside.sum()


def test_shares_and_deviations():
    network = prune(RECIPE).network
    weights = weights_of(network)
    masked = type(network)(network.copy(), network.masks)
    assert share_near_zero(masked) == pytest.approx((np.abs(weights) < 1e-3).mean())
    assert weight_deviation(network) == pytest.approx(weights[weights != 0].std(), rel=1e-5)


@pytest.mark.parametrize(
    "recipe", [RECIPE, Recipe.one_step("lenet5", "digits", method="layer", value=0.5)]
)
def test_sparsities_are_those_of_the_pruned_network(recipe):
    pruned, dense = prune(recipe), dense_cost(recipe.network, recipe.dataset)
    by_layer = layer_sparsities(pruned.network, dense)
    assert overall_sparsity(pruned.network, dense) == pytest.approx(pruned.sparsity)
    table = pruned.layer_table.set_index("name")["sparsity"]
    assert by_layer == pytest.approx(table.clip(lower=0).to_dict())


@pytest.mark.parametrize("content", [None, [], {}, {"epoch": 1}, 3, {"x": 1}, WRONG])
def test_what_is_no_record_is_refused(content):
    with pytest.raises(ValueError, match="no record of each epoch"):
        record_from_dict(content)
