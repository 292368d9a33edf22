"""The sidebar on Explore, on built-in data."""

import json

import pytest

from pruning.recipe.recipe import Recipe
from tests.pages.common import numbers, opened, plain, recipe_of, settled, shown

LENET300 = {"network": "lenet300", "dataset": "digits"}
LENET5 = {"network": "lenet5", "dataset": "digits"}

pytestmark = pytest.mark.usefixtures("no_downloads")


def test_no_layer_is_said_and_nothing_is_lost():
    at = opened(**LENET300)
    at.sidebar.multiselect[0].set_value([]).run()
    assert not at.exception
    assert "No layer chosen: choose from fc1, fc2, fc3" in plain(at.sidebar.error[0])
    at.sidebar.multiselect[0].set_value(["fc2"]).run()
    assert numbers(at)["Sparsity"] == f"{15_000 / 266_200:.2%}"


def test_another_network_has_its_own_layers_and_keeps_the_rest():
    at = opened(**LENET300, sparsity="0.7", layers="fc1")
    at.sidebar.selectbox(key="network").set_value("lenet5").run()
    assert numbers(at)["Sparsity"] == "70.00%"
    assert len(at.sidebar.multiselect[0].value) == 5
    at.sidebar.selectbox(key="network").set_value("lenet300").run()
    assert at.sidebar.multiselect[0].value == ["fc1"]


def test_another_network_keeps_the_steps_it_can_have():
    at = opened(
        network="resnet20",
        dataset="digits",
        method="filter",
        criterion="bn_scale",
        layers="block1_0.conv1",
        earlier=json.dumps([{"method": "weight", "value": 0.2}]),
        sparsity="0.3",
    )
    at.sidebar.selectbox(key="network").set_value("lenet300").run()
    assert not at.exception
    assert not at.sidebar.error
    first, second = recipe_of(at).steps
    assert first.value == 0.2
    assert second.method == "filter"
    assert second.criterion == "magnitude"
    assert second.layers is None


def test_the_seed_of_the_widget_is_used_at_once():
    at = opened(**LENET5, sparsity="0.5")
    at.sidebar.number_input(key="seed").set_value(7).run()
    assert recipe_of(at).seed == 0  # it makes no difference
    at.sidebar.selectbox(key="criterion").set_value("random").run()
    assert recipe_of(at).seed == 7
    recipe = Recipe.one_step("lenet5", "digits", criterion="random", seed=7)
    assert numbers(at) == shown(recipe)


def test_the_calibration_images_of_the_widget_are_used_at_once():
    at = opened(**LENET5, sparsity="0.5", method="filter")
    at.sidebar.number_input(key="calibration").set_value(48).run()
    assert "calibration" not in dict(at.query_params)
    settled(at.sidebar.selectbox(key="criterion").set_value("taylor").run())
    assert recipe_of(at).calibration == 48


def test_sampling_of_a_link_is_kept_where_it_makes_no_difference():
    at = opened(**LENET5, seed="7", calibration="64")
    assert at.sidebar.number_input(key="seed").value == 7
    assert at.sidebar.number_input(key="calibration").value == 64


def test_a_checkpoint_has_a_card():
    at = opened(**LENET5)
    assert at.sidebar.expander[0].label.startswith("Checkpoint: 99.")
    assert "sha256" in at.sidebar.expander[0].markdown[0].value
