from dataclasses import replace

import numpy as np
import pytest

from pruning.experiments.curve_request import CurveRequest
from pruning.experiments.curves import Curve, measure_curves
from pruning.experiments.literature import results_for
from pruning.experiments.retrained import RetrainedCurve, RetrainedNetwork, RetrainedPoint
from pruning.figures.curves import (
    MAX_COMPRESSION,
    X_AXES,
    Y_AXES,
    alt_of_tradeoff_curves,
    published_on_axes,
    retrained_on_axes,
    tradeoff_curves,
    x_quantity,
)
from pruning.figures.parts import NEUTRAL
from pruning.recipe.recipe import Recipe
from tests.pruning.figures.common import titles

MAGNITUDE = Recipe.one_step("lenet300", "digits")
RANDOM = Recipe.one_step("lenet300", "digits", criterion="random")
NAMES = ["magnitude", "random"]


@pytest.fixture(scope="module")
def curves() -> tuple[Curve, ...]:
    return measure_curves(CurveRequest((MAGNITUDE, RANDOM), points=3, seeds=2))


@pytest.mark.parametrize("x", X_AXES)
@pytest.mark.parametrize("y", Y_AXES)
def test_a_line_for_each_recipe_and_a_band_for_several_seeds(curves, x, y):
    figure = tradeoff_curves(curves, NAMES, x=x, y=y)
    band, first, second = figure.data
    assert band.fill == "toself" and len(band.x) == 6
    assert [first.name, second.name] == NAMES
    expected, _ = curves[0].values(Y_AXES[y].value)
    assert sorted(first.y) == pytest.approx(sorted(expected))
    assert list(first.x) == sorted(first.x)
    index, position = first.customdata[1]
    clicked = curves[index].points[position][0]
    assert clicked.recipe.last_step.value == curves[0].runs[0][position].recipe.last_step.value
    assert all(titles(figure)) and (figure.layout.xaxis.type == "log") == (x == "compression")
    assert "magnitude" in alt_of_tradeoff_curves(curves, NAMES, x=x, y=y)


def test_the_band_is_mean_and_standard_deviation(curves):
    band = tradeoff_curves(curves, NAMES, x="sparsity", y="accuracy").data[0]
    means, deviations = curves[1].values(lambda evaluation: evaluation.accuracy.value)
    np.testing.assert_allclose(band.y, [*(means + deviations), *(means - deviations)[::-1]])


def test_hover_texts_say_effective_and_give_sparsity_in_percent(curves):
    _, first, second = tradeoff_curves(curves, NAMES, x="sparsity", y="accuracy").data
    evaluation = curves[0].points[1][0]
    text = first.text[1]
    assert f"effective compression {evaluation.effective_compression:.2f}x" in text
    assert f"effective MACs {evaluation.effective.macs:,}" in text
    assert "33.33% of weights removed" in text and "sparsity of prunable weights 33.3" in text
    assert "(one run)" in text and "0.333" not in text
    assert "mean of 2 seeds, standard deviation" in second.text[1]


def test_other_rules_and_patterns_in_hover_texts():
    threshold = MAGNITUDE.with_last_step(rule="threshold")
    pattern = MAGNITUDE.with_last_step(rule="n_m", value="2:4")
    curves = measure_curves(CurveRequest((threshold, pattern), points=2))
    first, second = tradeoff_curves(curves, ["a", "b"], x="macs", y="loss").data
    assert first.text[0].split("<br>")[1].startswith("Threshold ")
    assert second.text[0].split("<br>")[1].startswith("N:M ")


def test_estimates_have_intervals():
    request = CurveRequest((MAGNITUDE,), points=3, max_test_images=100)
    curves = measure_curves(request)
    [trace] = tradeoff_curves(curves, ["a"], x="sparsity", y="accuracy").data
    assert min(trace.error_y.array) >= 0 and max(trace.error_y.array) > 0
    [trace] = tradeoff_curves(curves, ["a"], x="sparsity", y="loss").data
    assert trace.error_y.array is None


def test_curves_that_are_not_complete(curves):
    run = curves[0].runs[0]
    missing = replace(curves[0], runs=((run[0], None, run[2]),))
    empty = replace(curves[1], runs=((None,) * 3,))
    figure = tradeoff_curves([missing, empty], NAMES, x="sparsity", y="accuracy")
    [trace] = figure.data
    assert len(trace.x) == 2
    assert "random" not in alt_of_tradeoff_curves([missing, empty], NAMES, x="macs", y="loss")
    assert "No points yet" in alt_of_tradeoff_curves([empty], NAMES[1:], x="macs", y="loss")


def test_a_network_without_effective_parameters_has_a_place_on_the_axis(curves):
    evaluation = curves[0].runs[0][2]
    dead = replace(evaluation, known_effective=replace(evaluation.effective, parameters=0))
    curve = replace(curves[0], runs=((dead,),))
    [trace] = tradeoff_curves([curve], NAMES[:1], x="compression", y="accuracy").data
    assert list(trace.x) == [MAX_COMPRESSION]


def test_pixels_are_counted_as_pixels():
    recipe = Recipe.one_step("lenet300", "digits", method="feature", criterion="random")
    curves = measure_curves(CurveRequest((recipe,), points=3, seeds=1))
    figure = tradeoff_curves(curves, ["pixels"], x="sparsity", y="accuracy")
    assert list(figure.data[0].x) == [evaluation.removed_share for evaluation in curves[0].runs[0]]
    assert titles(figure)[0] == "share of input pixels removed"
    assert x_quantity("sparsity", ["weight"]).title == "sparsity of prunable weights"


def test_published_results_are_stars():
    published = results_for("lenet300", "mnist")
    figure = tradeoff_curves([], [], x="compression", y="accuracy", published=published)
    [stars] = figure.data
    assert list(stars.x) == [12.0] and list(stars.y) == [0.9841]
    assert "Han et al. 2015" in stars.text[0]
    assert published_on_axes(published, "compression", "accuracy") == published
    for x, y in (("macs", "accuracy"), ("sparsity", "accuracy"), ("compression", "loss")):
        assert len(tradeoff_curves([], [], x=x, y=y, published=published).data) == 0
        assert published_on_axes(published, x, y) == []


def retrained_curve(is_joined: bool, run: str = "") -> RetrainedCurve:
    network = RetrainedNetwork(
        "", "weights", "lenet300", "digits", "weight", 0, 2, 0.9, 9.5, 0.1, 350, 360, run
    )
    seeds = (network, replace(network, seed=1, correct=352))
    points = (RetrainedPoint(seeds if is_joined else (network,)),)
    return RetrainedCurve("weights", "weight", points, is_joined)


@pytest.mark.parametrize("x, position", [("sparsity", 0.9), ("compression", 9.5), ("macs", 0.1)])
def test_retrained_networks_are_grey(x, position):
    curves = [retrained_curve(True), retrained_curve(False, "a-run")]
    figure = tradeoff_curves([], [], x=x, y="accuracy", retrained=curves)
    experiment, runs = figure.data
    assert list(experiment.x) == list(runs.x) == [pytest.approx(position)]
    assert list(experiment.y) == [pytest.approx(351 / 360)]
    assert experiment.name == "retrained here: weights" and runs.name == "weights"
    assert experiment.mode == "lines+markers" and runs.mode == "markers"
    assert list(runs.customdata) == ["a-run"]
    assert experiment.error_y.array[0] == pytest.approx(2 / 360 / 2**0.5)
    assert experiment.marker.symbol != runs.marker.symbol
    assert experiment.marker.color == runs.marker.color == NEUTRAL
    alt = alt_of_tradeoff_curves([], [], x=x, y="accuracy", retrained=curves)
    assert f"0.975 at {position:.3g}" in alt


def test_retrained_networks_have_no_place_among_losses_or_shares_of_pixels():
    curves = [retrained_curve(True)]
    assert retrained_on_axes(curves, ["weight"], "sparsity", "loss") == []
    assert retrained_on_axes(curves, ["feature"], "sparsity", "accuracy") == []
    assert retrained_on_axes(curves, ["feature"], "compression", "accuracy") == curves


def test_the_top_margin_has_room_for_the_legend(curves):
    names = ["the name of a recipe that takes a row"] * 12
    figure = tradeoff_curves(curves[:1] * 12, names, x="sparsity", y="accuracy")
    assert figure.layout.margin.t >= 20 * 12
