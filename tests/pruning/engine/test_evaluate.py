"""Many at once find what each alone finds; what is known is not computed again; what was stopped goes on."""

from dataclasses import replace

import numpy as np
import pytest

from pruning.data import datasets
from pruning.engine import evaluate as sweep
from pruning.engine import prune as experiment
from pruning.engine.effective_cost import left
from pruning.inference import classify as evaluation
from pruning.methods.criteria import CRITERIA
from pruning.methods.units import METHODS
from pruning.recipe.recipe import Recipe, Step, criteria_for

FEW = [Recipe("lenet5", "digits", value=value) for value in (0.0, 0.5, 0.9, 0.99)]


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_STORE", str(tmp_path / "results.sqlite"))


@pytest.fixture
def classified(monkeypatch):
    """Collects the number of images of every batch that is classified."""
    seen, plain = [], sweep.tallies_of_many

    def noted(*args, **more):
        for found in plain(*args, **more):
            if found:
                seen.append(found[1].images)
            yield found

    monkeypatch.setattr(sweep, "tallies_of_many", noted)
    return seen


def test_every_method_and_criterion_as_alone():
    recipes = [
        Recipe("lenet5", "digits", method=method, criterion=criterion, calibration=64)
        for method in METHODS
        for criterion in criteria_for("lenet5", method)
        if criterion != "loss_change"
    ]
    recipes.append(
        Recipe("lenet5", "digits", images=100).with_steps(
            (Step(method="layer", value=0.3), Step(value=0.8))
        )
    )
    found = sweep.measure(recipes)
    assert len(found) == len(recipes) > 15 and len(CRITERIA) == 14
    for recipe, point in zip(recipes, found):
        outcome = experiment.run(recipe)
        assert point.recipe == recipe and point.accuracy == outcome.accuracy
        assert point.tally.class_correct == outcome.class_correct and point.loss == pytest.approx(
            outcome.loss, rel=1e-4
        )
        assert (point.sparsity, point.share) == (pytest.approx(outcome.sparsity), outcome.share)
        assert (point.parameters, point.macs) == (left(recipe).parameters, left(recipe).macs)


def test_what_is_known_is_not_computed_again(classified, monkeypatch):
    first = sweep.measure(FEW)
    assert sum(classified) == 4 * 360
    classified.clear()
    monkeypatch.setattr(experiment, "ranking", lambda *_: pytest.fail("scored again"))
    assert sweep.measure(FEW[::-1]) == first[::-1] and not classified


def test_a_recipe_that_comes_twice_is_computed_once(classified):
    found = sweep.measure([FEW[1], FEW[1], replace(FEW[1], seed=4)])
    assert found[0] == found[1] and found[0].tally == found[2].tally and sum(classified) <= 2 * 360


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_was_stopped_goes_on_where_it_was(classified, monkeypatch, error):
    monkeypatch.setattr(sweep, "EVERY", 0.0)
    monkeypatch.setattr(sweep, "tallies_of_many", _in_batches_of(100, sweep.tallies_of_many))
    monkeypatch.setattr(sweep, "batch_of", lambda model: 100)

    def stop(progress):
        if sum(p.tally.images for p in progress.points if p) >= 700:
            raise error()

    with pytest.raises(error):
        sweep.measure(FEW, stop)
    assert sum(classified) == 700
    shares = []
    found = sweep.measure(FEW, lambda progress: shares.append(progress.share))
    assert sum(classified) == 4 * 360 and shares == sorted(shares) and shares[0] > 0.4
    assert [p.accuracy for p in found] == [experiment.run(recipe).accuracy for recipe in FEW]


def _in_batches_of(size, plain):
    return lambda *args, **more: plain(*args, **more, batch=size)


def test_some_images_do_not_stand_for_all_nor_get_in_the_way(classified):
    (some,) = sweep.measure([replace(FEW[2], images=300)])
    assert some.tally.images == 300 and not some.accuracy.complete
    (every,) = sweep.measure([FEW[2]])
    assert every.accuracy == experiment.run(FEW[2]).accuracy
    classified.clear()
    assert sweep.measure([replace(FEW[2], images=300)]) == (some,) and not classified


def test_precision_stops_soon_enough_and_late_enough(real):
    real("mnist")
    recipes = [Recipe("lenet300", "mnist", value=value) for value in (0.5, 0.96, 0.99)]
    found = sweep.measure(recipes, precision=0.013)
    for recipe, point in zip(recipes, found):
        assert point.accuracy.half_width < 0.013
        if point.tally.images > 1000:  # a batch less was not enough
            images = point.tally.images - 1000
            state, data = experiment.pruned(recipe), datasets.DATASETS["mnist"]
            test = datasets.load("mnist", "test")
            fewer = sum(
                evaluation.tallies(
                    state.model,
                    state.masks.apply(state.model),
                    datasets.Images(test.pixels[:images], test.labels[:images]),
                    data,
                ),
                evaluation.Tally(),
            )
            assert fewer.accuracy(10_000).half_width >= 0.013
        low, high = point.accuracy.interval
        assert low <= experiment.run(recipe).accuracy.value <= high
    assert found[0].tally.images < found[1].tally.images < 10_000
    finer = sweep.measure(recipes[:1], precision=0.005)
    assert finer[0].tally.images > found[0].tally.images


@pytest.mark.parametrize("precision", [0, 1, -0.1, 2])
def test_a_precision_that_is_none(precision):
    with pytest.raises(ValueError, match="precision must be between 0 and 1"):
        sweep.measure(FEW, precision=precision)


def test_intervals_hold_what_they_claim(real):
    """Of many accuracies, known on the full test set, the first 1,000 images give intervals that hold at least 95%."""
    real("mnist")
    recipes = [
        Recipe("lenet300", "mnist", criterion="random", seed=seed, value=value)
        for seed in range(8)
        for value in np.linspace(0.3, 0.9, 10)
    ]
    some, every = sweep.measure([replace(r, images=1000) for r in recipes]), sweep.measure(recipes)
    held = [
        low <= full.accuracy.value <= high
        for part, full in zip(some, every)
        for low, high in [part.accuracy.interval]
    ]
    assert np.mean(held) >= 0.9, "95% of 80, less two standard deviations"
