"""What curves are asked for."""

from dataclasses import replace

import pytest

from pruning.experiments.curve_request import (
    MAX_SEEDS,
    CurveRequest,
    check_points,
    check_seeds,
)
from pruning.recipe.recipe import MAX_SEED, Recipe

one_step = Recipe.one_step
TWO = (one_step("lenet300", "digits"), one_step("lenet300", "digits", criterion="random"))


def test_a_point_for_each_sparsity_and_seed():
    points = CurveRequest(TWO, points=2, seeds=3).expand()
    assert [(point.curve, point.run) for point in points] == [
        *[(0, 0), (0, 0)],
        *[(1, 0), (1, 0), (1, 1), (1, 1), (1, 2), (1, 2)],
    ]
    assert [point.recipe.last_step.value for point in points] == [0.0, 0.5] * 4


def test_seeds_begin_with_that_of_the_recipe_and_wrap_around():
    request = CurveRequest((replace(TWO[1], seed=MAX_SEED),), points=2, seeds=2)
    assert {point.recipe.seed for point in request.expand()} == {MAX_SEED, 0}


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"recipes": ()}, "1 to 12 recipes"),
        ({"recipes": TWO * 7}, "1 to 12 recipes"),
        ({"points": 1}, "points must be"),
        ({"points": 51}, "points must be"),
        ({"points": -1}, "points must be from 2 to 50, or 0 for effective compression ratios"),
        ({"seeds": 0}, "seeds must be"),
        ({"seeds": MAX_SEEDS + 1}, "seeds must be"),
        ({"recipes": TWO[1:] * 12, "points": 50, "seeds": 10}, "6,000 points are too many"),
        ({"recipes": (TWO[0], one_step("lenet5", "digits"))}, "one network"),
        ({"recipes": (TWO[0].with_last_step(scope="custom"),)}, "choose another scope"),
    ],
)
def test_requests_out_of_range_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        CurveRequest(**{"recipes": TWO, **fields})


def test_limits_of_single_numbers():
    for points in (0, 2, 50):
        check_points(points)
    check_seeds(MAX_SEEDS)
    with pytest.raises(ValueError, match="points must be"):
        check_points(51)
    with pytest.raises(ValueError, match="seeds must be"):
        check_seeds(0)
