import json

import numpy as np
import pytest
import torch

from pruning.cost.macs import Cost
from pruning.data import datasets
from pruning.engine.evaluate import evaluate
from pruning.engine.evaluation import Evaluation
from pruning.inference.accuracy import Tally
from pruning.models import checkpoints
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_from_dict

one_step = Recipe.one_step


def evaluation(recipe: Recipe, **changes) -> Evaluation:
    fields = {
        "recipe": recipe,
        "split": "test",
        "tally": Tally((10,) * 10, 50.0, 250),
        "total": 360,
        "sparsity": 0.5,
        "removed_share": 0.4,
        "masked": Cost(1000, 2000),
        "known_effective": Cost(500, 600),
    }
    return Evaluation(**fields | changes)


def test_the_numbers_follow_from_the_tally_and_the_costs(recipe):
    one = evaluation(recipe)
    assert (one.accuracy.correct, one.accuracy.images, one.accuracy.total) == (100, 250, 360)
    assert one.loss == 0.2
    assert one.masked_compression == 266_610 / 1000 and one.effective_compression == 266_610 / 500
    assert one.dense.parameters == 266_610
    assert one.dense_accuracy == checkpoints.card("lenet300", "digits").test_accuracy


def test_a_network_without_parameters_has_a_finite_compression(recipe):
    assert evaluation(recipe, known_effective=Cost(0, 0)).effective_compression == 266_610


def test_removed_is_the_sparsity_or_of_units_without_weights_their_share(recipe):
    pixels = one_step("lenet300", "digits", method="feature", criterion="random")
    assert evaluation(recipe).removed == 0.5 and evaluation(pixels).removed == 0.4


def test_class_accuracies_average_to_the_accuracy():
    [one] = evaluate([one_step("lenet5", "digits", value=0.9)])
    labels = datasets.load("digits", "test").labels
    each = one.class_accuracy()
    assert len(each) == 10 and sum(one.tally.class_correct) == one.accuracy.correct
    assert (each * torch.bincount(labels).numpy()).sum() == pytest.approx(one.accuracy.correct)


@pytest.mark.parametrize("split", ["test", "validation"])
def test_class_accuracies_are_of_the_images_that_were_classified(recipe, split):
    labels = datasets.load("digits", split).labels[:7].numpy()
    totals = np.bincount(labels, minlength=10)
    tally = Tally(tuple(totals.tolist()), 1.0, 7)
    each = evaluation(recipe, split=split, tally=tally).class_accuracy()
    np.testing.assert_array_equal(each, (totals > 0).astype(float))  # 0 for a class without images


def test_json_has_the_recipe_and_every_number(recipe):
    content = json.loads(json.dumps(evaluation(recipe).to_dict(), allow_nan=False))
    assert recipe_from_dict(content.pop("recipe")) == recipe
    low, high = evaluation(recipe).accuracy.interval
    assert content == {
        "sparsity": 0.5,
        "effective_parameters": 500,
        "effective_macs": 600,
        "compression": 266_610 / 500,
        "accuracy": 0.4,
        "accuracy_low": low,
        "accuracy_high": high,
        "loss": 0.2,
        "images": 250,
        "of": 360,
    }
