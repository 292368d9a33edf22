"""Recovery of a recipe: cached, with the same masks, in evaluations, files and after removal."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.engine import export, recover, store
from pruning.engine.caches import clear_caches
from pruning.engine.evaluate import evaluate
from pruning.engine.prune import prune
from pruning.inference.classify import accuracy_of
from pruning.methods.recovery import RECOVERIES
from pruning.recipe.recipe import Recipe

FILTERS = Recipe.one_step(
    "lenet5", "digits", method="filter", scope="layer", value=0.5, recovery=("reconstruct",)
)


def test_a_recipe_without_recovery_gives_the_masked_network_itself():
    pruned = prune(FILTERS.without_recovery)
    assert pruned.recover().network is pruned.network and pruned.recover().seconds is None


def test_masks_costs_and_scores_are_those_before_recovery():
    pruned, masked = prune(FILTERS), prune(FILTERS.without_recovery)
    recovered = pruned.recovered
    assert recovered.is_recovered and recovered.masks is pruned.masks
    assert pruned.network is masked.network
    assert (pruned.masked, pruned.effective) == (masked.masked, masked.effective)
    assert pruned.scores()[0].tolist() == masked.scores()[0].tolist()


def test_a_recovery_is_computed_once(monkeypatch):
    clear_caches()
    first = prune(FILTERS).recover()
    assert first.seconds > 0
    monkeypatch.setattr(recover, "RECOVERIES", {})
    assert prune(FILTERS).recover() is first


def test_a_cancelled_recovery_leaves_nothing_in_the_cache():
    clear_caches()

    def cancel(share):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        prune(FILTERS).recover(cancel)
    assert prune(FILTERS).recovered.is_recovered


def test_the_accuracy_is_that_of_the_recovered_network():
    [evaluation] = evaluate([FILTERS])
    data, test = DATASETS["digits"], datasets.load("digits", "test")
    expected = accuracy_of(prune(FILTERS).recovered.copy(), test, data)
    assert evaluation.accuracy.value == expected
    [masked] = evaluate([FILTERS.without_recovery])
    assert evaluation.accuracy.value > masked.accuracy.value
    assert evaluation.recovery_seconds > 0 and masked.recovery_seconds is None


def test_the_store_keeps_the_result_and_its_duration(monkeypatch):
    [first] = evaluate([FILTERS])
    clear_caches()
    monkeypatch.setattr(recover, "RECOVERIES", {})  # nothing is recovered again
    [second] = evaluate([FILTERS])
    assert second == first and second.recovery_seconds == first.recovery_seconds
    assert store.key(FILTERS, "test") != store.key(FILTERS.without_recovery, "test")


def test_many_recipes_with_and_without_recovery_give_what_each_alone_gives():
    values = (0.2, 0.4, 0.6)
    recipes = []
    for value in values:
        recipe = FILTERS.with_last_step(value=value)
        recipes += [recipe, recipe.without_recovery]
    together = evaluate(recipes, "validation")
    for recipe, evaluation in zip(recipes, together, strict=True):
        assert evaluation.recipe == recipe
        alone = accuracy_of(
            prune(recipe).recovered.copy(),
            datasets.load("digits", "validation"),
            DATASETS["digits"],
        )
        assert evaluation.accuracy.value == pytest.approx(alone, abs=1 / evaluation.total)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(RECOVERIES))
def test_removal_and_files_are_of_the_recovered_network(name, tmp_path):
    recipe = Recipe.one_step(
        "resnet20", "digits", method="filter", scope="layer", value=0.4, recovery=(name,)
    )
    pruned = prune(recipe)
    x = torch.rand(4, 1, 28, 28)
    expected = pruned.recovered.copy()(x)
    torch.testing.assert_close(pruned.compact_model(x), expected, rtol=1e-3, atol=1e-3)
    export.save_weights(pruned, tmp_path / "weights.safetensors")
    model = prune(recipe.without_recovery).network.copy()
    model.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    torch.testing.assert_close(model(x), expected)
    export.save_masks(pruned, tmp_path / "masks.safetensors")
    for key, mask in load_file(tmp_path / "masks.safetensors").items():
        assert not model.get_parameter(key)[mask == 0].any()


def test_another_network_and_another_draw_can_be_recovered_without_a_cache():
    recipe = FILTERS
    pruned = prune(recipe)
    first = recover.recover_network(recipe, pruned.network, pruned.trained_model).network
    for name, value in pruned.recovered.model.state_dict().items():
        assert torch.equal(value, first.model.state_dict()[name])
    recipe = Recipe.one_step(
        "lenet5", "digits", value=0.9, calibration=500, recovery=FILTERS.recovery
    )
    weights = prune(recipe)
    draws = []
    for draw in range(2):
        drawn = replace(recipe, draw=draw)
        recovered = recover.recover_network(drawn, weights.network, weights.trained_model)
        network = recovered.network
        assert network.masks is weights.masks
        draws.append(network.model.fc3.weight)
    assert not torch.equal(*draws)
