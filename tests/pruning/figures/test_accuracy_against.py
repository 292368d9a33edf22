import pytest

from pruning.engine.evaluate import evaluate
from pruning.figures import parts
from pruning.figures.accuracy_against import AXES, accuracy_against, alt_of_accuracy_against
from pruning.recipe.recipe import Recipe
from tests.pruning.figures.common import titles

NAMES = ["1. Weights", "2. Filters"]


@pytest.fixture(scope="module")
def evaluations():
    weights = Recipe.one_step("lenet5-caffe", "digits", value=0.9)
    filters = Recipe.one_step("lenet5-caffe", "digits", method="filter", max_test_images=100)
    return evaluate([weights, filters, weights.with_last_step(value=0.2)])


@pytest.mark.parametrize("axis", AXES)
def test_a_curve_and_a_diamond_for_each_column(evaluations, axis):
    weights, filters, other = evaluations
    figure = accuracy_against(axis, NAMES, [[weights, other], []], [weights, filters])
    curve, first, second = figure.data
    assert list(curve.x) == sorted(curve.x) and len(curve.x) == 2 and not curve.showlegend
    value = AXES[axis].value
    assert list(first.x) == [value(weights)] and list(second.x) == [value(filters)]
    assert [first.name, second.name] == NAMES and first.marker.symbol == "diamond"
    assert first.error_y.array is None and second.error_y.array[0] > 0
    assert curve.line.color == first.marker.color == parts.COLUMN_COLOURS[0]
    assert second.marker.color == parts.COLUMN_COLOURS[1]
    assert titles(figure) == (AXES[axis].title, "test accuracy")
    assert AXES[axis].title in first.hovertemplate and "%{x:.1%}" in first.hovertemplate
    assert figure.layout.shapes[0].y0 == weights.dense_accuracy


def test_costs_are_the_effective_ones(evaluations):
    weights = evaluations[0]
    for axis, count in (("parameters", "parameters"), ("macs", "macs")):
        figure = accuracy_against(axis, NAMES[:1], [[]], [weights])
        share = getattr(weights.effective, count) / getattr(weights.dense, count)
        assert list(figure.data[0].x) == [share] and "effective" in titles(figure)[0]


def test_a_column_without_evaluation_has_no_point(evaluations):
    figure = accuracy_against("macs", NAMES, [[], []], [None, evaluations[1]])
    assert [trace.name for trace in figure.data] == NAMES[1:]
    assert len(accuracy_against("macs", NAMES, [[], []], [None, None]).data) == 0


@pytest.mark.parametrize("count", [1, 4, 6])
def test_the_top_margin_has_room_for_the_legend(evaluations, count):
    names = [f"{number}. Weights, Magnitude" for number in range(1, count + 1)]
    figure = accuracy_against("macs", names, [[]] * count, [evaluations[0]] * count)
    assert figure.layout.margin.t >= 20 * count
    assert figure.layout.height - figure.layout.margin.t == 286  # the plot keeps its height


def test_alt(evaluations):
    alt = alt_of_accuracy_against("sparsity", NAMES, [evaluations[0], None])
    accuracy = evaluations[0].accuracy.value
    assert f"1. Weights {accuracy:.2%} at 90.0%" in alt and "Filters" not in alt
