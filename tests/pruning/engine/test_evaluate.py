from collections.abc import Callable

import pytest

from pruning.data import datasets
from pruning.data.datasets import DATASETS, Images
from pruning.engine import evaluate as evaluate_module
from pruning.engine import prune as prune_module
from pruning.engine import store
from pruning.engine.evaluate import EvaluationProgress, evaluate
from pruning.engine.prune import prune, trained_model
from pruning.inference import classification_process
from pruning.inference.accuracy import Accuracy, Tally
from pruning.inference.classify import BatchTally, accuracy_of, classify, default_batch_size
from pruning.methods.rules import Rule
from pruning.methods.units import METHODS
from pruning.recipe.compatibility import criteria_for
from pruning.recipe.recipe import Recipe
from pruning.recipe.step import Step
from pruning.runtime.errors import Cancelled

one_step = Recipe.one_step
FEW = [one_step("lenet5", "digits", value=value) for value in (0.0, 0.5, 0.9, 0.99)]

pytestmark = pytest.mark.usefixtures("empty_store")


def tally_of(recipe: Recipe, images: int | None = None, split: str = "test") -> Tally:
    """Classify by one masked network, without store and without other recipes."""
    data, network = DATASETS[recipe.dataset], prune(recipe).network
    loaded = datasets.load(recipe.dataset, split)
    some = Images(loaded.pixels[:images], loaded.labels[:images])
    tally = Tally()
    for event in classify(network.model, [network.masked_parameters()], some, data):
        if isinstance(event, BatchTally):
            tally += event.tally
    return tally


def test_many_recipes_give_what_each_alone_gives():
    recipes = []
    for method in METHODS:
        for criterion in criteria_for("lenet5", method):
            if criterion != "loss_change":
                recipes.append(
                    one_step("lenet5", "digits", method=method, criterion=criterion, calibration=64)
                )
    steps = (Step(method="layer", value=0.3), Step(value=0.8))
    recipes.append(Recipe("lenet5", "digits", steps, max_test_images=100))
    evaluations = evaluate(recipes)
    assert len(evaluations) == len(recipes)
    for recipe, evaluation in zip(recipes, evaluations, strict=True):
        alone, pruned = tally_of(recipe, recipe.max_test_images), prune(recipe)
        assert evaluation.recipe == recipe
        assert evaluation.tally.class_correct == alone.class_correct
        assert evaluation.loss == pytest.approx(alone.mean_loss, rel=1e-4)
        assert evaluation.sparsity == pruned.sparsity
        assert evaluation.removed_share == pruned.removed_share
        assert (evaluation.masked, evaluation.effective) == (pruned.masked, pruned.effective)


@pytest.mark.parametrize("network", ["lenet300", "lenet5", "resnet20"])
def test_the_accuracy_is_that_of_the_masked_module(network):
    recipe = one_step(network, "digits", value=0.7)
    [evaluation] = evaluate([recipe])
    masked = prune(recipe).network.copy()
    expected = accuracy_of(masked, datasets.load("digits", "test"), DATASETS["digits"])
    assert abs(evaluation.accuracy.value - expected) <= 1 / 360  # another order of additions


@pytest.mark.parametrize("split", ["test", "validation"])
@pytest.mark.parametrize("recipes", [FEW[:1], FEW], ids=["one", "many"])
def test_stored_results_are_neither_pruned_nor_classified(classified, monkeypatch, split, recipes):
    first = evaluate(recipes, split)
    assert sum(classified) == sum(evaluation.total for evaluation in first)
    assert all(evaluation.split == split for evaluation in first)
    classified.clear()
    monkeypatch.setattr(evaluate_module, "prune", lambda *_: pytest.fail("pruned again"))
    monkeypatch.setattr(prune_module, "rank_units", lambda *_: pytest.fail("scored again"))
    assert evaluate(recipes[::-1], split) == first[::-1] and classified == []


@pytest.fixture
def selections(monkeypatch) -> list[str]:
    """Name of the rule of every selection."""
    names: list[str] = []
    select = Rule.select

    def recording(self, *args):
        names.append(self.name)
        return select(self, *args)

    monkeypatch.setattr(Rule, "select", recording)
    return names


def test_a_move_of_a_slider_selects_once_for_the_page_and_once_for_the_evaluation(selections):
    recipe = one_step("lenet5", "digits", value=0.456)
    pruned = prune(recipe)
    [evaluation] = evaluate([recipe])
    assert evaluation.masked == pruned.masked
    assert len(selections) == 2


def test_each_step_is_selected_once(selections):
    recipe = Recipe("lenet5", "digits", (Step(value=0.2), Step(value=0.3), Step(value=0.4)))
    prune(recipe)  # scores the later steps, which needs the networks of the earlier ones
    selections.clear()
    prune(recipe)
    assert len(selections) == 3


def test_many_recipes_are_selected_once_each(selections):
    evaluate(FEW)
    assert len(selections) == len(FEW)


def test_masked_networks_are_kept_up_to_the_limit_of_memory(selections, monkeypatch):
    expected = [tally_of(recipe).class_correct for recipe in FEW]
    selections.clear()
    monkeypatch.setattr(evaluate_module, "MAX_PARAMETER_BYTES", 0)
    evaluations = evaluate(FEW)
    assert [evaluation.tally.class_correct for evaluation in evaluations] == expected
    assert len(selections) == 2 * len(FEW)


def test_test_and_validation_images_have_results_of_their_own(classified):
    [test], [validation] = evaluate(FEW[2:3]), evaluate(FEW[2:3], "validation")
    assert sum(classified) == test.total + validation.total
    assert test.tally == tally_of(FEW[2])
    assert validation.tally == tally_of(FEW[2], split="validation")


def test_a_recipe_that_comes_twice_is_computed_once(classified):
    reseeded = one_step("lenet5", "digits", value=0.5, seed=4)
    a, b, c = evaluate([FEW[1], FEW[1], reseeded])
    assert a == b == c and sum(classified) == 360


def test_no_recipes_are_no_evaluations(classified):
    assert evaluate([]) == () and classified == []


def in_batches_of(size: int) -> Callable:
    """`classify` with another size of batches."""

    def classify_in_batches(*args, **options):
        return classify(*args, **options, batch_size=size)

    return classify_in_batches


@pytest.fixture
def small_batches(monkeypatch) -> None:
    """Batches of 100 images, and a report after each."""
    monkeypatch.setattr(evaluate_module, "REPORT_INTERVAL_S", 0.0)
    monkeypatch.setattr(classification_process, "classify", in_batches_of(100))
    monkeypatch.setattr(evaluate_module, "default_batch_size", lambda model: 100)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, Cancelled])
def test_results_before_an_exception_are_stored_and_continued(small_batches, classified, error):
    def stop(progress: EvaluationProgress) -> None:
        if sum(e.tally.images for e in progress.evaluations if e) >= 700:
            raise error()

    with pytest.raises(error):
        evaluate(FEW, report=stop)
    assert sum(classified) == sum(row["images"] for row in store.rows()) == 700
    shares = []
    evaluations = evaluate(FEW, report=lambda progress: shares.append(progress.share))
    assert sum(classified) == 4 * 360
    assert shares == sorted(shares) and shares[0] > 0.4 and shares[-1] == pytest.approx(1)
    assert [e.tally.class_correct for e in evaluations] == [
        tally_of(recipe).class_correct for recipe in FEW
    ]
    assert [row["images"] for row in store.rows()] == [360] * 4  # they replace the partial ones


def test_results_are_stored_while_the_work_goes_on(small_batches, monkeypatch):
    monkeypatch.setattr(evaluate_module, "SAVE_INTERVAL_S", 0.0)
    stored = []

    def report(progress: EvaluationProgress) -> None:
        stored.append(sum(row["images"] for row in store.rows()))

    evaluate(FEW, report=report)
    assert stored[0] < stored[-2] and stored == sorted(stored) and len(set(stored)) > 4


def test_progress_is_reported_batch_by_batch_and_can_end_the_work(small_batches, classified):
    seen: list[Accuracy] = []

    def report(progress: EvaluationProgress) -> None:
        [evaluation] = progress.evaluations
        if evaluation and (not seen or evaluation.accuracy != seen[-1]):
            seen.append(evaluation.accuracy)

    recipe = one_step("lenet5", "digits", value=0.95, max_test_images=350)
    evaluate([recipe], report=report)
    assert [accuracy.images for accuracy in seen] == [100, 200, 300, 350]
    for accuracy in seen:
        low, high = accuracy.interval
        assert not accuracy.complete and low < accuracy.value < high

    def cancel(progress: EvaluationProgress) -> None:
        raise Cancelled("enough")

    classified.clear()
    with pytest.raises(Cancelled):
        evaluate([one_step("lenet5", "digits", value=0.96)], report=cancel)
    assert sum(classified) <= 100


def test_some_images_are_the_first_ones_and_do_not_stand_for_all(classified):
    limited = one_step("lenet5", "digits", value=0.9, max_test_images=300)
    [some] = evaluate([limited])
    assert some.tally.images == 300 and some.total == 360 and not some.accuracy.complete
    assert some.tally.class_correct == tally_of(limited, 300).class_correct
    [every] = evaluate([FEW[2]])
    assert every.tally.class_correct == tally_of(FEW[2]).class_correct and every.accuracy.complete
    classified.clear()
    assert evaluate([limited]) == (some,) and classified == []


def test_a_limit_above_the_number_of_images_is_no_limit():
    [evaluation] = evaluate([one_step("lenet5", "digits", max_test_images=350)], "validation")
    assert evaluation.total < 350 and evaluation.accuracy.complete


def test_precision_stops_soon_enough_and_late_enough(real):
    real("mnist")
    recipes = [one_step("lenet300", "mnist", value=value) for value in (0.5, 0.96, 0.99)]
    evaluations = evaluate(recipes, precision=0.013)
    batch = default_batch_size(trained_model(recipes[0]))
    for recipe, evaluation in zip(recipes, evaluations, strict=True):
        images = evaluation.tally.images
        assert evaluation.accuracy.half_width < 0.013 and images % batch == 0
        if images > batch:  # a batch less is not enough
            assert tally_of(recipe, images - batch).accuracy(10_000).half_width >= 0.013
        assert evaluation.tally.class_correct == tally_of(recipe, images).class_correct
    assert evaluations[0].tally.images < evaluations[1].tally.images < 10_000
    [finer] = evaluate(recipes[:1], precision=0.005)
    assert finer.tally.images > evaluations[0].tally.images


@pytest.mark.parametrize("precision", [0, 1, -0.1, 2, float("nan")])
def test_a_precision_out_of_range_is_refused(precision):
    with pytest.raises(ValueError, match="precision must be between 0 and 1"):
        evaluate(FEW, precision=precision)
