"""The sliders for the value of a rule, on built-in data."""

from itertools import pairwise

import numpy as np
import pytest

from pages.controls.sliders import EvenRange, has_uneven_steps
from pruning.engine.prune import rank_units
from pruning.recipe.recipe import Recipe
from tests.pages.common import numbers, opened, recipe_of, removed_share, settled

LENET5 = {"network": "lenet5", "dataset": "digits", "calibration": "64"}


pytestmark = pytest.mark.usefixtures("no_downloads")


@pytest.mark.parametrize(
    "method, label",
    [
        ("weight", "Sparsity"),
        ("neuron", "Sparsity (share of neurons)"),
        ("filter", "Sparsity (share of filters)"),
        ("layer", "Sparsity (share of layers)"),
        ("feature", "Sparsity (share of pixels)"),
    ],
)
def test_the_slider_says_of_what_the_sparsity_is_the_share(method, label):
    at = opened(**LENET5, method=method, sparsity="0.3")
    assert at.sidebar.slider[0].label == label


def test_the_slider_follows_when_scores_have_another_scale():
    at = opened(**LENET5, criterion="fisher", sparsity="0.5")
    settled(at.sidebar.selectbox(key="rule").set_value("relative").run())
    settled(at.sidebar.selectbox(key="criterion").set_value("magnitude").run())
    assert removed_share(recipe_of(at)) == pytest.approx(0.5, abs=0.05)
    settled(at.sidebar.selectbox(key="rule").set_value("threshold").run())
    settled(at.sidebar.selectbox(key="criterion").set_value("lamp").run())
    assert removed_share(recipe_of(at)) == pytest.approx(0.5, abs=0.05)
    assert numbers(at)


@pytest.mark.parametrize(
    "even, digits",
    [
        (EvenRange(0.0, 1.0, 0.001, scale=100.0), 1),
        (EvenRange(0.0, 2.0, 0.01), 2),
        (EvenRange(0.0, 300.0, 10.0), 0),
    ],
)
def test_a_slider_shows_as_many_decimal_places_as_its_steps_have(even, digits):
    assert even.digits == digits


@pytest.mark.parametrize(
    "step, uneven",
    [
        ({"rule": "threshold", "value": 0.1}, False),
        ({"rule": "sigma", "value": 1.0}, False),
        ({"rule": "max_over_n", "value": 2.0}, True),  # ratios
        ({"rule": "threshold", "value": 0.1, "criterion": "fisher"}, True),  # skewed scores
        ({"rule": "relative", "value": 0.1, "criterion": "fisher"}, True),
    ],
)
def test_steps_are_uneven_where_even_ones_would_be_of_little_use(step, uneven):
    recipe = Recipe.one_step("lenet5", "digits", calibration=64, **step)
    assert has_uneven_steps(recipe) is uneven


def test_uneven_steps_remove_about_as_many_units_each():
    at = opened(**LENET5, criterion="fisher", threshold="0.0001")
    [slider] = at.sidebar.select_slider
    ranking = rank_units(recipe_of(at))
    values = [float(option) for option in slider.options]
    scores = np.concatenate([group.values[: group.removable] for group in ranking.values()])
    scores = scores[scores > 0]  # a quarter of them is 0 and falls in one step
    below = [int((scores < value).sum()) for value in values]
    largest = max(after - before for before, after in pairwise(below))
    assert len(values) > 100
    assert largest < 0.02 * len(scores)
