"""The one-shot benchmark against the engine that the pages use."""

import copy
import statistics

import pytest
import torch

from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.engine.evaluate import evaluate
from pruning.engine.prune import prune
from pruning.experiments.one_shot import (
    USUAL_SPARSITIES,
    VARIANTS,
    Measured,
    OneShotPlan,
    measure_one_shot,
)
from pruning.experiments.published_one_shot import published_one_shot
from pruning.inference.classify import accuracy_of
from pruning.methods.recovery import RECOVERIES, RecoveryContext
from pruning.models import checkpoints

PLAN = OneShotPlan("mlpnet", "digits", draws=2, calibration=100, sparsities=(0.5, 0.95))


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def measured_model():
    """The network that is measured, and the progress that is reported."""
    return copy.deepcopy(checkpoints.shared_model("mlpnet", "digits")), []


@pytest.fixture(scope="module")
def result(measured_model):
    model, shares = measured_model
    return measure_one_shot(PLAN, model, shares.append)


def test_every_draw_is_what_a_recipe_of_this_draw_gives(result):
    for variant in PLAN.variants:
        for draw in range(PLAN.draws):
            recipes = [PLAN.recipe(variant, sparsity, draw) for sparsity in PLAN.sparsities]
            expected = [evaluation.accuracy.value for evaluation in evaluate(recipes)]
            measured = result.measured[variant.name]
            assert [item.accuracies[min(draw, len(item.accuracies) - 1)] for item in measured] == (
                expected
            )


def test_the_second_draw_is_the_recovery_with_other_images(result):
    recipe = PLAN.recipe(VARIANTS[0], 0.95)
    pruned = prune(recipe)
    context = RecoveryContext(
        model=pruned.network.copy(),
        dense=copy.deepcopy(pruned.trained_model),
        masks=pruned.masks,
        dataset="digits",
        calibration=100,
        draw=1,
    )
    assert torch.equal(
        context.batches(100)[0],
        datasets.normalise(datasets.calibration("digits", 100, 1).pixels, DATASETS["digits"]),
    )
    RECOVERIES["reconstruct"].function(context)
    expected = accuracy_of(context.model, datasets.load("digits", "test"), DATASETS["digits"])
    measured = result.measured["reconstruct"][1]
    assert measured.accuracies[1] == expected
    assert len(set(result.measured["reconstruct"][1].accuracies)) == 2


def test_one_accuracy_without_images_and_the_dense_one(result):
    assert [len(item.accuracies) for item in result.measured["masked"]] == [1, 1]
    assert result.dense == checkpoints.card("mlpnet", "digits").test_accuracy
    assert result.measured["reconstruct"][1].mean > result.measured["masked"][1].mean


def test_the_model_is_not_modified_and_the_share_is_reported(result, measured_model):
    model, shares = measured_model
    before = checkpoints.load("mlpnet", "digits").state_dict()
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    assert shares == sorted(shares) and shares[-1] == 1
    assert len(shares) == 2 * (1 + 3 * 2)  # sparsities x (masked, and two draws of three others)


def test_recoveries_that_change_nothing_are_left_out():
    names = [variant.name for variant in PLAN.variants]
    assert names == ["masked", "reconstruct", "obs + reconstruct", "obs greedy + reconstruct"]
    resnet = OneShotPlan("resnet20", "cifar10")
    assert resnet.variants == VARIANTS


def test_layers_and_sparsities_are_the_published_ones():
    published = published_one_shot("resnet20", "cifar10")
    plan = OneShotPlan("resnet20", "cifar10")
    assert plan.sparsities == published.sparsities
    layers = plan.recipe(VARIANTS[0], 0.5).last_step.layers
    assert len(layers) == 20 and not set(layers) & set(published.kept_layers)
    assert OneShotPlan("lenet5", "digits", calibration=100).sparsities == USUAL_SPARSITIES


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"draws": 0}, "draws must be a whole number from 1 to 11 with 100"),
        ({"draws": 12}, "draws must be a whole number from 1 to 11 with 100"),
        ({"calibration": 0}, "calibration must be a whole number from 1"),
        ({"sparsities": (0.5, 1.5)}, "sparsity must be between 0 and 1"),
        ({"max_test_images": 361}, "images must be a whole number from 1 to 360"),
        ({"network": "vgg"}, "unknown network 'vgg'"),
    ],
)
def test_numbers_out_of_range_are_refused(changes, message):
    fields = {"network": "mlpnet", "dataset": "digits", "draws": 1, "calibration": 100}
    with pytest.raises(ValueError, match=message):
        OneShotPlan(**{**fields, **changes})


def test_mean_and_deviation():
    measured = Measured((0.5, 0.6, 0.9))
    assert measured.mean == pytest.approx(2 / 3)
    assert measured.deviation == pytest.approx(statistics.pstdev(measured.accuracies) * 1.5**0.5)
    assert Measured((0.5,)).deviation is None


def test_a_published_row_of_global_magnitude_is_close_on_our_network(real):
    real("mnist")
    plan = OneShotPlan("mlpnet", "mnist", draws=1, sparsities=(0.9,))
    result = measure_one_shot(plan, checkpoints.shared_model("mlpnet", "mnist"))
    lost = result.dense - result.measured["reconstruct"][0].mean
    assert lost < 0.25 * (result.dense - result.measured["masked"][0].mean)
