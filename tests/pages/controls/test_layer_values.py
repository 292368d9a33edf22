"""Values of single layers, in the sidebar of Explore, on built-in data."""

import pytest

from pruning.engine.prune import prune
from pruning.recipe.recipe import Recipe
from tests.pages.common import numbers, opened, recipe_of, shown

LENET = {"network": "lenet5", "dataset": "digits"}

pytestmark = pytest.mark.usefixtures("no_downloads")


def choose_scope(at, name: str) -> None:
    at.sidebar.segmented_control[0].set_value(name).run()


def test_the_table_begins_with_what_each_layer_lost():
    at = opened(**LENET, sparsity="0.6")
    choose_scope(at, "custom")
    before = prune(Recipe.one_step("lenet5", "digits", value=0.6))
    step = recipe_of(at).last_step
    assert step.scope == "custom"
    assert abs(float(numbers(at)["Sparsity"][:-1]) - 60) < 0.05
    assert not at.sidebar.slider
    sparsities = before.layer_table.set_index("name")["sparsity"]
    for name, value in step.values:
        assert value == pytest.approx(sparsities[name], abs=1e-4)


def test_a_link_carries_values_of_single_layers():
    at = opened(**LENET, scope="custom", values="conv1=0.1,fc1=0.9", sparsity="0.5")
    values = (("conv1", 0.1), ("fc1", 0.9))
    recipe = Recipe.one_step("lenet5", "digits", scope="custom", value=0.5, values=values)
    assert numbers(at) == shown(recipe)


def test_the_table_begins_anew_with_what_the_layers_lost_meanwhile():
    at = opened(**LENET, sparsity="0.5")
    choose_scope(at, "custom")
    choose_scope(at, "layer")
    at.sidebar.slider[0].set_value(90.0).run()
    choose_scope(at, "custom")
    step = recipe_of(at).last_step
    assert step.value == 0.9
    assert all(value == pytest.approx(0.9, abs=0.01) for _, value in step.values)


def test_other_layers_begin_with_their_values():
    at = opened(**LENET, scope="custom", values="conv1=0.1,fc1=0.9", sparsity="0.5")
    at.sidebar.multiselect[0].set_value(["conv1", "conv2"]).run()
    step = recipe_of(at).last_step
    assert step.layers == ("conv1", "conv2")
    assert step.values == (("conv1", 0.1),)


@pytest.mark.parametrize(
    "method, rule, heading",
    [
        ("weight", "sparsity", "sparsity (%)"),
        ("filter", "sparsity", "sparsity (% of filters)"),
        ("neuron", "sparsity", "sparsity (% of neurons)"),
        ("filter", "relative", "relative threshold (%)"),
        ("weight", "threshold", "threshold"),
    ],
)
def test_the_heading_says_of_what_a_sparsity_is_the_share(method, rule, heading):
    at = opened(**LENET, method=method, scope="custom", calibration="64", **{rule: "0.3"})
    assert list(at.sidebar.dataframe[0].value.columns) == ["layer", heading]
