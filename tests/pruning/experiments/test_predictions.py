import pytest

from pruning.data import datasets
from pruning.engine.caches import clear_caches
from pruning.engine.evaluate import evaluate
from pruning.experiments import predictions
from pruning.experiments.predictions import known_predictions, predict, stages
from pruning.models import checkpoints
from pruning.recipe.recipe import Recipe
from pruning.runtime.errors import Cancelled

RECIPE = Recipe.one_step("lenet5", "digits", value=0.9)
RECOVERED = Recipe.one_step("lenet5", "digits", value=0.9, recovery=("reconstruct",))


@pytest.mark.parametrize(
    "network, dataset", [pair for pair in checkpoints.shipped() if pair[1] == "digits"]
)
def test_the_accuracy_is_that_of_the_evaluation(network, dataset):
    recipe = Recipe.one_step(network, dataset, value=0.8)
    recipes = [stage.recipe for stage in stages(recipe)]
    evaluations = evaluate(recipes)
    for prediction, evaluation in zip(predict(recipes).predictions, evaluations, strict=True):
        assert prediction.accuracy == evaluation.accuracy
        hits = "".join(str(int(is_correct)) for is_correct in prediction.is_correct[::-1])
        if evaluation.tally.hits is not None:
            assert int(hits, 2) == evaluation.tally.hits


def test_stages_of_a_recipe():
    assert [stage.name for stage in stages(RECIPE)] == ["dense", "pruned"]
    dense, pruned, recovered = stages(RECOVERED)
    assert (dense.name, pruned.name, recovered.name) == ("dense", "pruned", "recovered")
    assert dense.recipe.last_step.value == 0
    assert not pruned.recipe.recovery and recovered.recipe == RECOVERED


def test_the_first_images_are_reported_before_the_others(monkeypatch):
    clear_caches()
    monkeypatch.setattr(predictions, "CHUNK", 100)
    reported = []

    def report(share, known):
        reported.append((share, known))

    recipes = [stage.recipe for stage in stages(Recipe.one_step("resnet20", "digits", value=0.7))]
    result = predict(recipes, report)
    shares = [share for share, _ in reported]
    assert shares == sorted(shares)
    known = [each for _, each in reported if each is not None]
    assert len(known[0].predictions[0]) == 100
    final = result.predictions[1].probabilities
    assert (known[0].predictions[1].probabilities == final[:100]).all()
    assert len(result.predictions[0]) == len(datasets.load("digits", "test"))


def test_complete_predictions_are_computed_once():
    clear_caches()
    recipes = [stage.recipe for stage in stages(RECIPE)]
    first, second = predict(recipes), predict(recipes)
    for one, other in zip(first.predictions, second.predictions, strict=True):
        assert one.probabilities.base is other.probabilities.base
    known = known_predictions(recipes)
    assert known is not None and known.predictions[0].is_complete
    clear_caches()
    assert known_predictions(recipes) is None


def test_work_ends_when_a_report_raises_an_exception():
    clear_caches()

    def report(share, known):
        raise Cancelled("cancelled")

    with pytest.raises(Cancelled):
        predict([RECIPE], report)
