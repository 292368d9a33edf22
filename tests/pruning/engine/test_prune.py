import copy
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.engine.apply_step import prune_network, rank_network
from pruning.engine.caches import clear_caches
from pruning.engine.evaluate import evaluate
from pruning.engine.masked_network import MaskedNetwork
from pruning.engine.prune import (
    has_cached_scores,
    input_network,
    prune,
    rank_units,
    trained_model,
    unit_groups,
)
from pruning.inference.classify import accuracy_of
from pruning.methods.rules import RULES
from pruning.models import checkpoints, prunable
from pruning.recipe.compatibility import scopes_for
from pruning.recipe.recipe import Recipe
from pruning.recipe.step import Step
from pruning.runtime.errors import Cancelled, DatasetError

one_step = Recipe.one_step


def test_the_numbers_add_up(recipe):
    pruned = prune(recipe)
    dense, layers = pruned.dense, pruned.layer_table
    removed = round(0.8 * 266_200)
    assert int((layers["weights"] - layers["kept"]).sum()) == pruned.removed_units == removed
    assert pruned.sparsity == pytest.approx(removed / 266_200, rel=1e-15)
    assert pruned.removed_share == removed / 266_200
    assert pruned.masked.parameters == pruned.network.parameters == 266_610 - removed
    assert layers["weights"].sum() == dense.prunable_weights == 266_200
    assert layers["macs"].sum() == dense.macs
    assert pruned.masked.macs == layers["macs_left"].sum()
    assert pruned.masked.macs == layers["kept"].sum()  # a linear layer uses each weight once
    assert dict(zip(layers["name"], layers["kept"], strict=True)) == pruned.kept_weights
    assert pruned.effective.parameters <= pruned.masked.parameters
    assert pruned.effective.macs <= pruned.masked.macs


def test_the_masks_are_those_of_the_layer_table(recipe):
    pruned = prune(recipe)
    for row in pruned.layer_table.itertuples():
        weight = trained_model(recipe).get_submodule(row.name).weight
        mask = pruned.masks[f"{row.name}.weight"]
        assert row.kept == int(mask.sum()) and row.sparsity == 1 - row.kept / row.weights
        assert torch.equal(mask, weight.abs() >= row.threshold)


def test_the_accuracy_is_that_of_the_masked_network(recipe):
    [evaluation] = evaluate([recipe])
    model = checkpoints.load("lenet300", "digits")
    for name, mask in prune(recipe).masks.items():
        model.get_parameter(name).data.mul_(mask)
    test_images = datasets.load("digits", "test")
    assert accuracy_of(model, test_images, DATASETS["digits"]) == evaluation.accuracy.value


def test_macs_of_a_convolution_count_its_positions():
    layers = prune(one_step("lenet5", "digits", value=0.5)).layer_table.set_index("name")
    row = layers.loc["conv2"]
    assert row["macs"] == 2_400 * 100 and row["macs_left"] == row["kept"] * 100


def test_layers_that_take_no_part_stay_whole_and_count_in_the_denominator():
    pruned = prune(one_step("lenet5", "digits", value=0.5, layers=("fc2",)))
    layers = pruned.layer_table.set_index("name")
    others = layers.drop("fc2")
    assert layers.loc["fc2", "kept"] == 5_040
    assert (others["kept"] == others["weights"]).all() and others["threshold"].isna().all()
    assert pruned.sparsity == pytest.approx(5_040 / 61_470) and pruned.removed_share == 0.5


@pytest.mark.parametrize("scope", scopes_for("sparsity", "weight"))
def test_nothing_and_everything(recipe, scope):
    nothing, everything = (recipe.with_last_step(value=v, scope=scope) for v in (0.0, 1.0))
    [dense] = evaluate([nothing])
    assert abs(dense.accuracy.value - dense.dense_accuracy) <= 2 / 360
    assert prune(nothing).sparsity == 0 and prune(nothing).warnings == ()
    assert prune(nothing).masked == prune(nothing).effective
    pruned = prune(everything)
    assert pruned.sparsity == 1 and pruned.masked.macs == pruned.effective.macs == 0
    assert pruned.masked.parameters == 410  # the biases


@pytest.mark.parametrize("network, dataset", checkpoints.shipped())
def test_the_cached_network_is_never_modified(network, dataset, real):
    real(dataset)
    shared = checkpoints.shared_model(network, dataset)
    before = {key: value.clone() for key, value in shared.state_dict().items()}
    recipes = []
    for name, rule in RULES.items():
        value = rule.patterns[0] if rule.patterns else 1.0
        recipes.append(one_step(network, dataset, rule=name, value=value, max_test_images=50))
    evaluate(recipes)
    assert all(torch.equal(before[key], value) for key, value in shared.state_dict().items())
    assert checkpoints.shared_model(network, dataset) is shared


@pytest.mark.slow
@pytest.mark.parametrize(
    "network, repetitions", [("lenet300", 50), ("lenet5", 50), ("resnet20", 8)]
)
def test_two_recipes_in_two_threads_always_get_their_own_result(
    network, repetitions, classify_always
):
    recipes = [
        one_step(network, "digits", value=0.3, max_test_images=100),
        one_step(network, "digits", rule="sigma", value=1.9, max_test_images=100),
    ]
    shared = checkpoints.shared_model(network, "digits")
    before = {key: value.clone() for key, value in shared.state_dict().items()}

    def is_unmodified() -> bool:
        return all(torch.equal(before[key], value) for key, value in shared.state_dict().items())

    def result(recipe: Recipe) -> tuple:
        [evaluation] = evaluate([recipe])
        return evaluation.tally.class_correct, evaluation.sparsity

    def results(recipe: Recipe) -> list[tuple]:
        return [result(recipe) for _ in range(repetitions)]

    alone = [result(recipe) for recipe in recipes]
    assert alone[0] != alone[1]
    with ThreadPoolExecutor(2) as pool:
        together = [pool.submit(results, recipe) for recipe in recipes]
        while not all(future.done() for future in together):
            assert is_unmodified()  # a third visitor reads the network meanwhile
            time.sleep(0.001)
    assert is_unmodified()
    assert [future.result() for future in together] == [[one] * repetitions for one in alone]


@pytest.fixture
def classify_always(monkeypatch):
    """The store never has a result."""
    from pruning.engine import store

    monkeypatch.setattr(store, "get", lambda recipe, split, max_images: None)


def test_masks_are_made_from_the_dense_weights_every_time(recipe):
    """50% twice is 50%, not 75%."""
    first = prune(recipe.with_last_step(value=0.5)).masks
    prune(recipe.with_last_step(value=0.9))
    clear_caches()
    again = prune(recipe.with_last_step(value=0.5)).masks
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert sum(int((~mask).sum()) for mask in again.values()) == 133_100


def test_scores_are_sorted_once(recipe, monkeypatch):
    prune(recipe)
    monkeypatch.setattr(np, "argsort", lambda *_, **__: pytest.fail("sorted again"))
    monkeypatch.setattr(np, "sort", lambda *_, **__: pytest.fail("sorted again"))
    for value in np.linspace(0, 1, 11).tolist():
        for scope in scopes_for("sparsity", "weight"):
            prune(recipe.with_last_step(value=value, scope=scope))
        prune(recipe.with_last_step(value=value, rule="threshold"))


def test_scores_are_cached_whatever_the_rule_removes():
    clear_caches()
    recipe = one_step("lenet5", "digits", criterion="lamp", value=0.4)
    assert not has_cached_scores(recipe)
    shares = []
    rank_units(recipe, shares.append)
    others = (
        recipe.with_last_step(value=0.9, scope="layer", layers=("conv1",)),
        recipe.with_last_step(rule="threshold", value=0.1),
        one_step("lenet5", "digits", criterion="lamp", max_test_images=5),
    )
    assert has_cached_scores(recipe) and all(has_cached_scores(other) for other in others)
    assert not has_cached_scores(recipe.with_last_step(criterion="taylor"))
    assert tuple(rank_units(others[0])) == ("conv1",)


def test_scoring_is_reported_and_can_be_cancelled():
    recipe = one_step("lenet5", "digits", criterion="taylor", calibration=200)
    clear_caches()

    def cancel(share: float) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        prune(recipe, cancel)
    assert not has_cached_scores(recipe)
    shares: list[float] = []
    prune(recipe, shares.append)
    assert shares == sorted(shares) and shares[-1] == 1 and has_cached_scores(recipe)


def test_a_limit_on_the_test_images_is_no_property_of_the_pruned_network():
    limited = one_step("lenet300", "digits", value=0.7, max_test_images=10)
    assert prune(limited).recipe == limited.on_all_images
    assert prune(limited).network is prune(limited.on_all_images).network


def test_each_step_is_applied_to_what_the_previous_ones_left():
    recipe = Recipe("lenet300", "digits", (Step(value=0.5), Step(value=0.5)))
    pruned, first = prune(recipe), prune(recipe.without_last_step)
    assert pruned.before_step is first.network is input_network(recipe)
    assert pruned.ranking.units == 133_100 and pruned.sparsity == pytest.approx(0.75)
    for name, mask in pruned.masks.items():
        assert not (mask & ~first.masks[name]).any()  # nothing comes back
    assert [(r.total, r.removed) for r in pruned.step_results] == [
        (266_200, 133_100),
        (133_100, 66_550),
    ]
    assert input_network(recipe.without_last_step).model is trained_model(recipe)


def test_removed_units_of_a_group():
    recipe = one_step("lenet5", "digits", method="filter", scope="layer", value=0.5)
    pruned = prune(recipe)
    for name, group in unit_groups(recipe).items():
        removed = pruned.removed_units_of(name)
        kept_rows = pruned.masks[f"{name}.weight"].flatten(1).any(1)
        assert len(removed) == group.units and torch.equal(removed, ~kept_rows)
        np.testing.assert_array_equal(pruned.removed_share_by_unit[name] == 1, removed.numpy())


def test_scores_and_which_units_are_kept(recipe):
    pruned = prune(recipe)
    scores, kept = pruned.scores()
    assert len(scores) == len(kept) == 266_200 and kept.sum() == 53_240
    assert scores[kept].min() >= scores[~kept].max()
    one_scores, one_kept = pruned.scores("fc2")
    weight = trained_model(recipe).fc2.weight.detach().numpy().ravel()
    np.testing.assert_array_equal(one_scores, np.sort(np.abs(weight)))
    assert one_kept.sum() == pruned.kept_weights["fc2"]


def test_weights_before_masking_and_which_are_kept(recipe):
    pruned = prune(recipe)
    weights, kept = pruned.weights("fc2")
    weight = trained_model(recipe).fc2.weight.detach().numpy().ravel()
    np.testing.assert_array_equal(weights, weight)
    np.testing.assert_array_equal(kept, pruned.masks["fc2.weight"].numpy().ravel())
    assert len(pruned.weights()[0]) == 266_200 and pruned.weights()[1].sum() == 53_240


def test_removed_layers_keep_no_weight():
    recipe = one_step("lenet5", "digits", method="layer", criterion="random", value=0.4)
    pruned = prune(recipe)
    assert pruned.network.removed_layers
    for name in pruned.network.removed_layers:
        assert pruned.kept_weights[name] == pruned.kept_macs[name] == 0
        assert (pruned.removed_share_by_unit[name] == 1).all()
    assert set(pruned.kept_weights) == set(prunable(trained_model(recipe)))
    assert pruned.effective.parameters <= pruned.masked.parameters < 61_706


def test_the_effective_network_is_the_compact_one_where_units_are_removed():
    recipe = one_step("lenet5-caffe", "digits", method="filter", scope="layer", value=0.7)
    pruned = prune(recipe)
    compact = pruned.compact_model
    assert pruned.effective.parameters == sum(p.numel() for p in compact.parameters()) == 40_081
    assert pruned.effective.macs == 267_900 and prune(recipe).compact_model is compact


def test_data_that_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path))
    with pytest.raises(DatasetError, match="download mnist"):
        evaluate([one_step("lenet5", "mnist", value=0.123)])


def test_prunable_layers_are_those_of_the_recipe(recipe):
    assert tuple(prunable(trained_model(recipe))) == recipe.chosen_layers


def test_pruning_in_many_threads_gives_one_result():
    clear_caches()
    recipe = one_step("lenet5", "digits", criterion="taylor", calibration=64, value=0.6)
    barrier = threading.Barrier(6)

    def kept(_: int) -> dict[str, int]:
        barrier.wait()
        return prune(recipe).kept_weights

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(kept, range(6)))
    assert results == [results[0]] * 6


@pytest.mark.parametrize("criterion", ["magnitude", "obs"])
def test_a_given_network_is_pruned_as_the_trained_one(criterion):
    recipe = one_step("lenet300", "digits", criterion=criterion, value=0.7, calibration=200)
    network = MaskedNetwork(copy.deepcopy(trained_model(recipe)))
    masks = prune_network(recipe, network, rank_network(recipe, network)).masks
    assert dict(masks).keys() == dict(prune(recipe).masks).keys()
    for name, mask in prune(recipe).masks.items():
        assert torch.equal(mask, masks[name])


def test_another_draw_gives_other_scores_of_a_criterion_that_needs_data_only():
    network = MaskedNetwork(trained_model(one_step("lenet300", "digits")))
    for criterion in ("magnitude", "obs"):
        recipe = one_step("lenet300", "digits", criterion=criterion, calibration=200)
        first = rank_network(recipe, network)["fc2"].scores
        second = rank_network(replace(recipe, draw=1), network)["fc2"].scores
        assert np.array_equal(first, second) == (criterion == "magnitude")
