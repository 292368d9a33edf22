"""The answers of the lessons are true: each measured claim is measured again."""

import numpy as np
import pytest

from pruning.cost.file_size import encoded_sizes, safetensors_size
from pruning.data import datasets
from pruning.engine.evaluate import evaluate
from pruning.engine.prune import prune
from pruning.experiments.pitfalls import best_seed, living_biases, revive_weights
from pruning.experiments.toys import (
    PENALTIES,
    penalty_results,
    select_toy,
    squared_error_example,
    toy_matrix,
)
from pruning.recipe.recipe import Recipe
from pruning.recipe.step import Step

DATASETS = ["digits", "mnist"]


@pytest.fixture(params=DATASETS)
def dataset(request) -> str:
    if not datasets.available(request.param):
        pytest.skip(f"needs {request.param}")
    return request.param


def accuracies(recipes) -> list[float]:
    return [evaluation.accuracy.value for evaluation in evaluate(recipes)]


def test_zeros_do_not_make_a_file_smaller(dataset):
    pruned = prune(Recipe.one_step("lenet5", dataset, scope="layer", value=0.8))
    masked = pruned.network.copy().state_dict()
    dense = safetensors_size(pruned.trained_model.state_dict())
    assert safetensors_size(masked) == dense
    assert all(size < 0.5 * dense for size in encoded_sizes(masked).values())


def test_the_number_to_prune_is_no_number_of_weights():
    weights = toy_matrix()
    counts = [int(select_toy(weights, "max_over_n", n).removed.sum()) for n in (4.0, 6.0, 12.0)]
    assert counts == sorted(counts, reverse=True)  # a larger n removes fewer
    assert counts[1] > weights.size / 2


def test_mean_minus_two_deviations_removes_nothing():
    assert not select_toy(toy_matrix(), "mean_std", 2.0).removed.any()


def test_living_biases_change_the_network(dataset):
    recipe = Recipe.one_step("lenet5", dataset, method="filter", scope="layer", value=0.3)
    result = living_biases(recipe)
    assert result.masked_difference < 1e-4 < 0.1 < result.difference


def test_a_quarter_of_an_inner_convolution_is_left():
    recipe = Recipe.one_step("lenet5", "digits", method="filter", scope="layer", value=0.5)
    assert prune(recipe).compact_model.conv2.weight.numel() == 6 * 16 * 25 / 4


@pytest.mark.parametrize("name", ["digits", "cifar10"])
def test_the_first_block_costs_most(name):
    if not datasets.available(name):
        pytest.skip(f"needs {name}")
    recipe = Recipe.one_step(
        "resnet20", name, method="layer", criterion="loss_change", value=0.0, calibration=256
    )
    pruned = prune(recipe)
    [(group, ranked)] = pruned.ranking.items()
    assert pruned.groups[group].label(int(ranked.order[-1])) == "block1_0"


def test_scores_of_pixels_do_not_see_redundancy(dataset):
    recipes = []
    for share in (0.1, 0.5):
        for criterion in ("class_entropy", "random"):
            options = {"criterion": criterion, "value": share, "calibration": 256}
            recipes.append(Recipe.one_step("lenet5", dataset, method="feature", **options))
    few_informed, few_random, half_informed, half_random = accuracies(recipes)
    assert few_informed > few_random
    assert half_informed < half_random


def test_curvature_is_exact_at_the_minimum():
    saliencies = squared_error_example().trained(1_000).saliencies
    exact = saliencies.pop("exact")
    obd = saliencies.pop("h w\N{SUPERSCRIPT TWO} / 2")
    assert np.allclose(obd, exact, rtol=1e-2)
    assert not np.array_equal(np.argsort(saliencies["|w|"]), np.argsort(exact))


def test_the_gradient_alone_is_closest_to_random(dataset):
    names = ("magnitude", "taylor", "gradient", "random")
    recipes = []
    for criterion in names:
        recipes.append(
            Recipe.one_step("lenet5", dataset, criterion=criterion, value=0.8, calibration=256)
        )
    magnitude, taylor, gradient, random = accuracies(recipes)
    assert abs(gradient - random) < min(abs(magnitude - random), abs(taylor - random))


def test_l1_makes_zeros_and_l2_does_not():
    shares = {}
    for result in penalty_results():
        shares.setdefault(result.penalty, []).append(result.near_zero)
    assert shares["L1"][-1] > 0.8
    assert max(shares["L2"]) - min(shares["L2"]) < 0.05
    assert len(shares["L1"]) == len(PENALTIES)


def test_convolutions_cost_most(dataset):
    layers = ("conv1", "conv2", "fc1", "fc2", "fc3")
    recipes = [Recipe.one_step("lenet5", dataset, layers=(layer,), value=0.9) for layer in layers]
    measured = accuracies(recipes)
    assert layers[int(np.argmin(measured))] in ("conv1", "conv2")


def test_the_first_convolution_keeps_most_under_a_global_threshold(dataset):
    table = prune(Recipe.one_step("lenet5", dataset, value=0.9)).layer_table
    kept = dict(zip(table["name"], 1 - table["sparsity"], strict=True))
    assert max(kept, key=kept.get) == "conv1"
    assert kept["conv1"] > 1.2 * kept["conv2"]


def test_global_pruning_is_better_than_uniform_at_90_percent(dataset):
    recipes = [
        Recipe.one_step("lenet5", dataset, scope=scope, value=0.9) for scope in ("global", "layer")
    ]
    competing, uniform = accuracies(recipes)
    assert competing > uniform


def test_a_fit_brings_most_of_the_accuracy_back(dataset):
    options = {"method": "filter", "scope": "layer", "value": 0.3}
    masked = Recipe.one_step("lenet5", dataset, **options)
    fitted = Recipe.one_step(
        "lenet5", dataset, recovery=("reconstruct",), calibration=512, **options
    )
    dense, before, after = accuracies([masked.unpruned, masked, fitted])
    assert dense - after < 0.03 and after >= before


def test_masked_gradients_do_not_keep_weights_at_zero():
    revival = revive_weights()
    assert revival.alive["gradients masked"][-1] > 0.5 * revival.pruned
    assert revival.alive["weights set to zero once"][-1] > 0.5 * revival.pruned
    assert not revival.alive["mask applied after every step"].any()


def test_the_best_on_few_images_is_worse_on_others():
    recipe = Recipe.one_step("lenet5", "digits", criterion="random", value=0.1)
    best = best_seed(recipe, 20, 60)
    assert best.reported > best.others


def test_filters_that_are_removed_later_leave_a_larger_network(dataset):
    weights, filters = Step(value=0.5), Step(method="filter", scope="layer", value=0.2)
    first = evaluate([Recipe("lenet5", dataset, steps=(weights, filters))])[0]
    second = evaluate([Recipe("lenet5", dataset, steps=(filters, weights))])[0]
    assert first.effective.parameters > second.effective.parameters
