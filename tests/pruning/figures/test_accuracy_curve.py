import pytest

from pruning.engine.evaluate import evaluate
from pruning.figures.accuracy_curve import accuracy_curve, alt_of_accuracy_curve
from pruning.methods.units import METHODS
from pruning.recipe.recipe import Recipe
from tests.pruning.figures.common import titles

RECIPE = Recipe.one_step("lenet300", "digits", value=0.5)


def test_the_points_are_sorted_and_estimates_have_intervals():
    partial = Recipe.one_step("lenet300", "digits", value=0.9, max_test_images=100)
    dense, current, estimate = evaluate([RECIPE.with_last_step(value=0.0), RECIPE, partial])
    figure = accuracy_curve(curve=[current, dense], visited=[estimate], current=current)
    curve, visited, mark = figure.data
    assert list(curve.x) == sorted(curve.x)
    assert list(curve.y) == [dense.accuracy.value, current.accuracy.value]
    assert curve.error_y.array is None
    assert visited.error_y.array[0] > 0 and visited.error_y.arrayminus[0] > 0
    assert list(mark.x) == [current.sparsity]
    assert [trace.name for trace in figure.data] == ["curve", "visited", "current"]
    assert curve.line.color == METHODS["weight"].colour
    assert "of weights removed" in curve.hovertemplate
    assert list(curve.customdata[0]) == [f"{current.tally.images} images", 0.0]
    assert [list(data)[1] for data in curve.customdata] == [0.0, 0.5]
    assert titles(figure) == ("sparsity of prunable weights", "test accuracy")
    assert figure.layout.shapes[0].y0 == dense.dense_accuracy


def test_pixels_are_counted_as_pixels():
    [evaluation] = evaluate([RECIPE.with_last_step(method="feature", criterion="random")])
    figure = accuracy_curve(curve=[], visited=[], current=evaluation)
    assert list(figure.data[0].x) == [evaluation.removed_share] == [pytest.approx(0.5, abs=0.01)]
    assert titles(figure)[0] == "share of input pixels removed"
    assert "of input pixels removed" in figure.data[0].hovertemplate


def test_no_points():
    figure = accuracy_curve(curve=[], visited=[], current=None)
    assert len(figure.data) == 0 and len(figure.layout.shapes) == 0 and all(titles(figure))
    assert alt_of_accuracy_curve([]) == "Test accuracy against sparsity: no points yet."


def test_alt():
    [evaluation] = evaluate([RECIPE])
    assert "50.0% removed" in alt_of_accuracy_curve([evaluation])


def test_another_recipe_is_drawn_beside_it():
    first, second = (Recipe.one_step("lenet300", "digits", value=value) for value in (0.3, 0.6))
    point_a, point_b = evaluate([first, second])
    figure = accuracy_curve(
        curve=[point_b], visited=[], current=point_b, curve_of_a=[point_a], current_of_a=point_a
    )
    names = [trace.name for trace in figure.data]
    assert names == ["curve of A", "A", "curve of B", "B"]
    assert list(figure.data[1].x) == [point_a.sparsity]
    assert [len(trace.customdata[0]) for trace in figure.data] == [1, 1, 2, 2]
    pixels = Recipe.one_step("lenet300", "digits", method="feature", criterion="random", value=0.5)
    [point_a] = evaluate([pixels])
    figure = accuracy_curve(curve=[], visited=[], current=point_b, current_of_a=point_a)
    assert titles(figure)[0] == "share of weights or input pixels removed"
    assert list(figure.data[0].x) == [0.5]
