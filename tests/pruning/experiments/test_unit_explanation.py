import numpy as np
import pytest
import torch

from pruning.data import datasets
from pruning.data.datasets import DATASETS, normalise
from pruning.engine.prune import prune, trained_model
from pruning.experiments.unit_explanation import IMAGES, explain_unit
from pruning.recipe.recipe import Recipe
from pruning.recipe.step import Step

one_step = Recipe.one_step


def test_a_filter_by_its_score_rank_weights_and_activations():
    recipe = one_step("lenet5", "digits", method="filter", scope="layer", value=0.5)
    model = trained_model(recipe)
    norms = model.conv2.weight.abs().flatten(1).sum(1).numpy()
    for unit in range(16):
        why = explain_unit(prune(recipe), "conv2", unit)
        assert why.score == pytest.approx(norms[unit], rel=1e-5) and why.units == 16
        assert (
            why.rank == int((norms < norms[unit]).sum()) + 1
            and why.percentile == 100 * (why.rank - 1) / 16
        )
        assert why.removed == (why.rank <= 8) == (why.score < why.threshold)
        np.testing.assert_array_equal(why.weights, model.conv2.weight[unit])
    images = datasets.calibration("digits", IMAGES).pixels
    np.testing.assert_array_equal(why.images, images)
    with torch.no_grad():
        maps = model[:6](normalise(images, DATASETS["digits"]))[:, 15]
    np.testing.assert_allclose(why.activations, maps, atol=1e-5)


def test_a_weight_shows_its_output_unit():
    recipe = one_step("lenet300", "digits", value=0.9)
    why = explain_unit(prune(recipe), "fc2", 5 * 300 + 7)
    weight = trained_model(recipe).fc2.weight
    assert why.score == pytest.approx(abs(float(weight[5, 7]))) and why.units == 30_000
    np.testing.assert_array_equal(why.weights, weight[5])
    assert why.activations.shape == (IMAGES,) and why.removed == (why.score < why.threshold)
    assert explain_unit(prune(recipe), "fc3", 0).activations.shape == (
        IMAGES,
    )  # the classifier has no ReLU


@pytest.mark.parametrize("network, unit", [("lenet5", 1), ("resnet20", 3)])
def test_a_layer_and_a_pixel(network, unit):
    recipe = one_step(network, "digits", method="layer", criterion="loss_change", calibration=32)
    why = explain_unit(prune(recipe), "layers", unit)
    assert (
        why.weights is None and why.activations.shape == (IMAGES,) and (why.activations > 0).all()
    )
    recipe = one_step(network, "digits", method="feature", criterion="class_entropy")
    why = explain_unit(prune(recipe), "input", 14 * 28 + 10)
    np.testing.assert_array_equal(why.activations, why.images[:, 0, 14, 10])


@pytest.mark.parametrize("network", ["lenet5", "resnet20"])
def test_a_subnetwork_shows_the_mean_of_its_layers_or_blocks(network):
    single = one_step(network, "digits", method="layer")
    subnetworks = prune(single.with_last_step(grouping="subnetwork"))
    why = explain_unit(subnetworks, "layers", 0)
    members = subnetworks.groups["layers"].members[0]
    assert len(members) == 3 and why.weights is None
    of_members = [explain_unit(prune(single), "layers", unit) for unit in range(3)]
    expected = np.mean([member.activations for member in of_members], axis=0)
    np.testing.assert_allclose(why.activations, expected, rtol=1e-5)
    assert why.score == pytest.approx(sum(member.score for member in of_members), rel=1e-5)


def test_a_unit_that_an_earlier_step_removed_has_no_score():
    step = Step(method="filter", value=0.5, scope="layer")
    recipe = one_step("lenet5", "digits").with_steps((step, step))
    gone = (
        (~prune(recipe.without_last_step).masks["conv2.weight"].flatten(1).any(1))
        .nonzero()[0]
        .item()
    )
    why = explain_unit(prune(recipe), "conv2", gone)
    assert why.removed and why.score is why.rank is why.percentile is None and why.units == 8


def test_rules_without_a_threshold():
    why = explain_unit(prune(one_step("lenet300", "digits", rule="n_m", value="2:4")), "fc1", 3)
    assert np.isnan(why.threshold) and isinstance(why.removed, bool)


@pytest.mark.parametrize(
    "group, unit, message",
    [
        ("fc9", 0, "'fc9' takes no part in this step: choose from conv1"),
        ("conv1", 6, "unit must be a whole number from 0 to 5, not 6"),
    ],
)
def test_unknown_groups_and_units_are_refused(group, unit, message):
    with pytest.raises(ValueError, match=message):
        explain_unit(prune(one_step("lenet5", "digits", method="filter")), group, unit)
