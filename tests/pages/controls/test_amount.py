"""The widget for the value of a rule, in the sidebar of Explore, on built-in data."""

import pytest

from pages.controls.amount import choose_control, draw_pattern
from pages.controls.layer_values import draw_per_layer
from pages.controls.sliders import draw_numeric, draw_percent, draw_uneven
from pruning.engine.prune import prune
from pruning.recipe.recipe import Recipe
from tests.pages.common import numbers, opened, recipe_of, shown

LENET300 = {"network": "lenet300", "dataset": "digits"}
LENET5 = {"network": "lenet5", "dataset": "digits", "calibration": "64"}

pytestmark = pytest.mark.usefixtures("no_downloads")


@pytest.mark.parametrize(
    "step, control",
    [
        ({}, draw_percent),
        ({"scope": "custom"}, draw_per_layer),
        ({"rule": "n_m", "value": "2:4"}, draw_pattern),
        ({"rule": "threshold", "value": 0.1}, draw_numeric),
        ({"rule": "relative", "value": 0.1}, draw_percent),
        ({"rule": "sigma", "value": 1.0}, draw_numeric),
        ({"rule": "max_over_n", "value": 2.0}, draw_uneven),
        ({"rule": "threshold", "value": 0.1, "criterion": "fisher"}, draw_uneven),
    ],
)
def test_the_control_fits_the_rule(step, control):
    assert choose_control(Recipe.one_step("lenet5", "digits", **step)) is control


def test_another_rule_keeps_the_sparsity():
    at = opened(**LENET300, sparsity="0.8")
    before = numbers(at)["Sparsity"]
    for rule in ("threshold", "sigma", "relative", "sparsity"):
        at.sidebar.selectbox(key="rule").set_value(rule).run()
        sparsity = float(numbers(at)["Sparsity"][:-1])
        assert sparsity == pytest.approx(float(before[:-1]), abs=0.3), rule
        options = ["global", "layer", "ERK", "own"] if rule == "sparsity" else ["all alike", "own"]
        assert at.sidebar.segmented_control[0].options == options
        assert rule in dict(at.query_params)


def test_threshold_and_sparsity_are_two_views_of_one_thing():
    at = opened(**LENET300, sparsity="0.8")
    summary = next(text.value for text in at.sidebar.caption if "percentile" in text.value)
    assert "80.00%" in summary
    assert "σ" in summary  # noqa: RUF001
    pruned = prune(Recipe.one_step("lenet300", "digits", value=0.8))
    assert f"{pruned.selection['fc1'].threshold:.4g}" in summary


def test_a_pattern_of_the_link_that_is_not_offered_stays():
    at = opened(**LENET5, n_m="5:7")
    recipe = recipe_of(at)
    assert recipe.last_step.value == "5:7"
    assert numbers(at) == shown(Recipe.one_step("lenet5", "digits", rule="n_m", value="5:7"))


def test_a_step_with_nothing_left_is_said():
    for network in ("lenet5", "resnet20"):
        at = opened(
            network=network,
            dataset="digits",
            method="layer",
            earlier='[{"method":"layer","value":1.0}]',
        )
        assert "Sparsity" in numbers(at)
        assert any("have removed all units" in text.value for text in at.sidebar.caption)
