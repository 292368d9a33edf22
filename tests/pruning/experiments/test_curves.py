from dataclasses import replace

import numpy as np
import pytest

from pruning.engine import evaluate as evaluate_module
from pruning.engine.evaluate import evaluate
from pruning.engine.prune import prune
from pruning.experiments.curve_request import COMPRESSION_RATIOS, CurveRequest
from pruning.experiments.curves import (
    SPARSITIES,
    Curve,
    measure_curves,
    recipes_along_curve,
)
from pruning.experiments.strength import without_value
from pruning.recipe.recipe import Recipe

one_step = Recipe.one_step
TWO = (one_step("lenet300", "digits"), one_step("lenet300", "digits", criterion="random"))


def evaluations(curves: tuple[Curve, ...]) -> list:
    return [evaluation for curve in curves for evaluation in curve.evaluations]


def test_recipes_along_a_curve_differ_in_their_value_only():
    recipes = recipes_along_curve(TWO[0])
    assert [recipe.last_step.value for recipe in recipes] == list(SPARSITIES)
    assert {without_value(recipe) for recipe in recipes} == {without_value(TWO[0])}
    pattern = one_step("lenet300", "digits", rule="n_m", value="2:4")
    values = [recipe.last_step.value for recipe in recipes_along_curve(pattern)]
    assert len(values) == len(set(values)) < len(SPARSITIES)


def test_a_curve_has_a_point_for_each_sparsity_and_seed():
    curves = measure_curves(CurveRequest(TWO, points=4, seeds=3))
    assert [len(curve.runs) for curve in curves] == [1, 3]
    values = [evaluation.recipe.last_step.value for evaluation in curves[0].runs[0]]
    assert values == [0.0, 0.25, 0.5, 0.75]
    assert {e.recipe.seed for e in curves[1].evaluations} == {0, 1, 2}
    for evaluation in evaluations(curves):
        assert evaluate([evaluation.recipe]) == (evaluation,)


def test_mean_and_spread_are_over_the_seeds():
    [curve] = measure_curves(CurveRequest(TWO[1:], points=4, seeds=3))
    accuracies = [[evaluation.accuracy.value for evaluation in run] for run in curve.runs]
    mean, deviation = curve.values(lambda evaluation: evaluation.accuracy.value)
    np.testing.assert_allclose(mean, np.mean(accuracies, 0))
    np.testing.assert_allclose(deviation, np.std(accuracies, 0))
    assert deviation[2] > 0


def test_the_area_is_by_trapezoids():
    [curve] = measure_curves(CurveRequest(TWO[:1], points=5))
    x = [evaluation.sparsity for evaluation in curve.runs[0]]
    y = [evaluation.accuracy.value for evaluation in curve.runs[0]]
    area = sum((y[i] + y[i + 1]) / 2 * (x[i + 1] - x[i]) for i in range(4))
    assert curve.area == pytest.approx(area / (x[-1] - x[0]))
    assert np.isnan(replace(curve, runs=((curve.runs[0][0],),)).area)


def test_the_area_of_units_without_weights_is_over_their_share():
    pixels = one_step("lenet300", "digits", method="feature", criterion="random")
    [curve] = measure_curves(CurveRequest((pixels,), points=3, seeds=1))
    assert 0 < curve.area < 1
    assert [e.removed for e in curve.runs[0]] == [e.removed_share for e in curve.runs[0]]
    assert [e.sparsity for e in curve.runs[0]] == [0] * 3


def test_compression_ratios_are_met():
    [curve] = measure_curves(CurveRequest((one_step("lenet5-caffe", "digits"),), points=0))
    ratios = [evaluation.effective_compression for evaluation in curve.runs[0]]
    assert ratios == pytest.approx(list(COMPRESSION_RATIOS), rel=0.02)


@pytest.mark.usefixtures("empty_store")
def test_points_appear_as_they_are_computed(monkeypatch):
    monkeypatch.setattr(evaluate_module, "REPORT_INTERVAL_S", 0.0)
    counts, shares = [], []

    def report(curves: tuple[Curve, ...], share: float) -> None:
        shares.append(share)
        if curves:
            counts.append(len(evaluations(curves)))

    curves = measure_curves(CurveRequest(TWO, points=3, seeds=2), report)
    assert counts == sorted(counts) and counts[0] < counts[-1] == len(evaluations(curves)) == 9
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1)


@pytest.mark.usefixtures("empty_store")
@pytest.mark.parametrize("precision", [None, 0.03])
def test_a_click_on_a_point_classifies_nothing(classified, precision):
    """The page opens the recipe of the point; its result is in the store."""
    request = CurveRequest(TWO, points=4, seeds=2, precision=precision)
    curves = measure_curves(request)
    assert classified
    classified.clear()
    for evaluation in evaluations(curves):
        assert evaluate([evaluation.recipe], precision=precision) == (evaluation,)
    assert measure_curves(request) == curves and classified == []


def test_unknown_points_are_left_out():
    [curve] = measure_curves(CurveRequest(TWO[1:], points=3, seeds=2))
    first, second = curve.runs
    partial = replace(curve, runs=((first[0], None, None), (second[0], second[1], None)))
    assert [len(known) for known in partial.points] == [2, 1]
    assert partial.evaluations == [first[0], second[0], second[1]]
    assert len(partial.values(lambda evaluation: evaluation.loss)[0]) == 2


def test_costs_of_points_are_those_of_pruning():
    for evaluation in evaluations(measure_curves(CurveRequest(TWO, points=3, seeds=1))):
        pruned = prune(evaluation.recipe)
        assert (evaluation.masked, evaluation.effective) == (pruned.masked, pruned.effective)
