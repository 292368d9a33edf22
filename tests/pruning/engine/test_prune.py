import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from pruning.data.datasets import DATASETS
from pruning.engine import prune as experiment
from pruning.experiments import strength as curves
from pruning.inference.prefix_cache import forward
from pruning.methods.rules import RULES, scopes_for
from pruning.models import checkpoints, prunable
from pruning.recipe.recipe import Recipe
from pruning.runtime.errors import Cancelled, DatasetError


def test_an_outcome_adds_up(recipe):
    outcome = experiment.run(recipe)
    dense, layers = outcome.dense, outcome.layers
    assert outcome.accuracy.images == outcome.accuracy.total == 360
    assert outcome.removed == round(0.8 * 266_200) and outcome.sparsity == outcome.removed / 266_200
    assert outcome.parameters == 266_610 - outcome.removed
    assert outcome.compression == 266_610 / outcome.parameters
    assert layers["weights"].sum() == dense.prunable_weights and layers["macs"].sum() == dense.macs
    assert (
        outcome.macs == layers["kept"].sum()
    )  # every weight of a linear layer is used once an image
    assert outcome.dense_accuracy == checkpoints.card("lenet300", "digits").test_accuracy


def test_masks_say_what_the_outcome_says_and_the_accuracy_is_that_of_the_masked_network(recipe):
    outcome, masks = experiment.run(recipe), experiment.masks(recipe)
    model = checkpoints.load("lenet300", "digits")
    for row in outcome.layers.itertuples():
        weight = model.get_submodule(row.name).weight
        assert row.kept == int(masks[f"{row.name}.weight"].sum())
        assert torch.equal(masks[f"{row.name}.weight"], weight.abs() >= row.threshold)
        weight.mul_(masks[f"{row.name}.weight"])
    from pruning.data import datasets
    from pruning.inference.classify import accuracy

    assert (
        accuracy(model, datasets.load("digits", "test"), DATASETS["digits"])
        == outcome.accuracy.value
    )


def test_macs_of_a_convolution_count_its_positions():
    outcome = experiment.run(Recipe("lenet5", "digits", value=0.5, images=10))
    row = outcome.layers.set_index("name").loc["conv2"]
    assert row["macs"] == 2_400 * 100 and row["macs_left"] == row["kept"] * 100


def test_layers_that_do_not_take_part_stay_whole_and_count_in_the_denominator():
    outcome = experiment.run(Recipe("lenet5", "digits", value=0.5, layers=("fc2",), images=10))
    layers = outcome.layers.set_index("name")
    assert layers.loc["fc2", "kept"] == 5_040
    assert (layers.drop("fc2")["kept"] == layers.drop("fc2")["weights"]).all()
    assert layers.drop("fc2")["threshold"].isna().all()
    assert outcome.sparsity == 5_040 / 61_470


@pytest.mark.parametrize("scope", scopes_for("sparsity", "weight"))
def test_nothing_and_everything(recipe, scope):
    dense = experiment.run(replace(recipe, value=0.0, scope=scope))
    assert (
        abs(dense.accuracy.value - dense.dense_accuracy) <= 2 / 360
        and dense.sparsity == 0
        and not dense.warnings
    )
    empty = experiment.run(replace(recipe, value=1.0, scope=scope))
    assert (
        empty.sparsity == 1
        and empty.macs == 0
        and empty.parameters == 410
        and empty.warnings
        == (
            "fc1, fc2, fc3 have lost all their weights: the network now answers the same for every image.",
        )
    )


@pytest.mark.parametrize(
    "lost, constant",
    [
        (("block2_0.conv1",), False),
        (("block2_0.shortcut.conv",), False),
        (("block1_0.conv1", "block1_0.conv2"), False),
        (("block2_0.conv2", "block2_0.shortcut.conv"), True),
        (("fc",), True),
        (("block2_0.conv1", "conv1"), True),
    ],
)
def test_a_warning_says_the_network_is_dead_exactly_where_it_is(lost, constant):
    recipe = Recipe("resnet20", "digits", value=1.0, layers=lost)
    (told,) = experiment.run(replace(recipe, images=10)).warnings
    logits = forward(
        experiment.model(recipe), experiment.masks(recipe).apply(experiment.model(recipe))
    )(torch.rand(4, 1, 28, 28))
    assert constant == bool(torch.allclose(logits, logits[:1].expand_as(logits), atol=1e-6))
    assert constant == ("the same for every image" in told)


def test_many_lost_layers_are_one_warning():
    (told,) = experiment.run(Recipe("resnet20", "digits", value=1.0, images=10)).warnings
    assert told.startswith("conv1, block1_0.conv1 and 20 other layers have lost all their weights")


@pytest.mark.parametrize("network, dataset", checkpoints.shipped())
def test_the_cached_network_is_never_modified(network, dataset, real):
    real(dataset)
    shared = checkpoints.shared(network, dataset)
    before = {key: value.clone() for key, value in shared.state_dict().items()}
    for rule in RULES:
        value = RULES[rule].patterns[0] if RULES[rule].patterns else 1.0
        experiment.run(Recipe(network, dataset, rule=rule, value=value, images=100))
    assert all(torch.equal(before[key], value) for key, value in shared.state_dict().items())
    assert checkpoints.shared(network, dataset) is shared


@pytest.mark.parametrize("network", ["lenet300", "lenet5", "resnet20"])
def test_two_recipes_in_two_threads_50_times_always_get_their_own_result(network):
    recipes = [
        Recipe(network, "digits", value=0.3, images=100),
        Recipe(network, "digits", rule="sigma", value=1.9),
    ]
    if network == "resnet20":
        recipes[1] = replace(recipes[1], images=100)
    shared = checkpoints.shared(network, "digits")
    before = {key: value.clone() for key, value in shared.state_dict().items()}
    alone = [(o.accuracy.correct, o.removed) for o in map(experiment.run, recipes)]
    assert alone[0] != alone[1]
    together = [[], []]

    def go(i: int) -> None:
        for _ in range(50):
            outcome = experiment.run(recipes[i])
            together[i].append((outcome.accuracy.correct, outcome.removed))

    threads = [threading.Thread(target=go, args=[i]) for i in (0, 1)]
    for thread in threads:
        thread.start()
    while any(
        thread.is_alive() for thread in threads
    ):  # a third visitor reads the network meanwhile
        assert all(torch.equal(before[key], value) for key, value in shared.state_dict().items())
        time.sleep(0.001)
    assert all(torch.equal(before[key], value) for key, value in shared.state_dict().items())
    assert together == [[alone[0]] * 50, [alone[1]] * 50]


def test_masks_are_made_from_the_dense_weights_every_time(recipe):
    """50% twice is 50%, not 75%."""
    first = experiment.masks(replace(recipe, value=0.5))
    experiment.masks(replace(recipe, value=0.9))
    experiment._pruned.cache.clear()
    again = experiment.masks(replace(recipe, value=0.5))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert sum(int((~mask).sum()) for mask in again.values()) == 133_100


def test_scores_are_sorted_once(recipe, monkeypatch):
    experiment.select(recipe)
    monkeypatch.setattr(np, "argsort", lambda *_, **__: pytest.fail("sorted again"))
    monkeypatch.setattr(np, "sort", lambda *_, **__: pytest.fail("sorted again"))
    for value in np.linspace(0, 1, 11):
        for scope in scopes_for("sparsity", "weight"):
            experiment.select(replace(recipe, value=float(value), scope=scope))
        experiment.select(replace(recipe, value=float(value), rule="threshold"))


def test_progress_is_reported_and_can_end_the_work():
    seen, recipe = [], Recipe("lenet5", "digits", value=0.95)

    def report(outcome):
        seen.append(outcome.accuracy.images)
        if len(seen) == 1:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        experiment.run(recipe, report)
    assert seen == [250]
    seen = []
    experiment.run(recipe, lambda outcome: seen.append(outcome.accuracy))
    assert [a.images for a in seen] == [250, 360] and not seen[0].complete and seen[1].complete
    assert seen[0].interval[0] < seen[0].value < seen[0].interval[1]


def test_fewer_images_are_the_first_ones():
    recipe = Recipe("lenet5", "digits", value=0.8)
    some = experiment.run(replace(recipe, images=100)).accuracy
    assert some.images == 100 and some.total == 360 and not some.complete
    partial = []
    experiment.run(replace(recipe, images=350), lambda o: partial.append(o.accuracy))
    assert [a.images for a in partial] == [250, 350]


def test_data_that_is_not_there_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path))
    with pytest.raises(DatasetError, match="download mnist"):
        experiment.run(Recipe("lenet5", "mnist"))


@pytest.mark.parametrize("rule", RULES)
def test_a_curve_has_the_sparsities_it_was_asked_for(recipe, rule):
    asked, shares = (0.0, 0.5, 0.9, 1.0), []
    value = RULES[rule].patterns[0] if RULES[rule].patterns else 1.0
    points = curves.curve(
        replace(recipe, rule=rule, value=value),
        lambda progress: shares.append(progress.share),
        sparsities=asked,
    )
    assert [p.recipe.rule for p in points] == [rule] * 4
    if rule == "n_m":  # in quarters, at most what was asked
        asked = (0.0, 0.5, 0.75, 1.0)
    reach = 1.0 if rule in ("sparsity", "threshold") else 0.99
    for sparsity, point in zip(asked, points):
        assert point.sparsity == pytest.approx(min(sparsity, reach), abs=0.011)
    assert shares == sorted(shares) and shares[-1] == 1.0


def test_prunable_layers_of_every_checkpoint_are_those_of_its_recipe(recipe):
    assert tuple(prunable(experiment.model(recipe))) == recipe.chosen_layers
