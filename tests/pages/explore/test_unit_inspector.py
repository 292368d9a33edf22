"""The unit inspector on Explore, on built-in data."""

import pytest

from pruning.engine.prune import prune
from pruning.experiments.unit_explanation import explain_unit
from tests.pages.common import charts, numbers, opened, recipe_of, settled

LENET = {"network": "lenet5", "dataset": "digits", "calibration": "64"}

pytestmark = pytest.mark.usefixtures("no_downloads")


def test_a_unit_is_explained():
    at = opened(**LENET, method="filter", scope="layer", sparsity="0.5")
    at.main.toggle(key="why").set_value(True).run()
    at.main.selectbox(key="unit_group").set_value("conv2").run()
    at.main.number_input(key="unit").set_value(3).run()
    explanation = explain_unit(prune(recipe_of(at)), "conv2", 3)
    shown = numbers(at)
    assert shown["Score"] == f"{explanation.score:.4g}"
    assert shown["Rank"] == f"{explanation.rank} of 16"
    assert shown["Percentile"] == f"{explanation.percentile:.1f}%"
    assert shown["Threshold"] == f"{explanation.threshold:.4g}"
    verdict = "**Removed**" if explanation.removed else "**Kept**"
    assert any(verdict in text.value for text in at.main.markdown)
    assert len(charts(at)) == 5


def test_units_of_every_method_are_explained():
    at = opened(**LENET, method="filter", scope="layer", sparsity="0.5")
    at.main.toggle(key="why").set_value(True).run()
    for method in ("weight", "layer", "feature", "neuron"):
        settled(at.sidebar.selectbox(key="method").set_value(method).run())
        assert "Score" in numbers(at)


def test_a_subnetwork_is_explained_and_found_by_a_click_on_one_of_its_layers():
    at = opened(network="resnet20", dataset="digits", method="layer", grouping="subnetwork")
    at.main.toggle(key="why").set_value(True).run()
    units = at.main.selectbox(key="unit")
    assert units.options == [
        *("block1_0 to block1_2", "block2_1 to block2_2", "block3_1 to block3_2"),
    ]
    at.session_state["clicked"] = ("block2_2.conv1", 0)
    at.session_state["click_pending"] = True
    at.run()
    assert at.main.selectbox(key="unit").value == "block2_1 to block2_2"
    explanation = explain_unit(prune(recipe_of(at)), "layers", 1)
    assert numbers(at)["Score"] == f"{explanation.score:.4g}"
    assert numbers(at)["Rank"] == f"{explanation.rank} of 3"


def test_a_rule_without_threshold_shows_a_dash():
    at = opened(**LENET, n_m="2:4")
    at.main.toggle(key="why").set_value(True).run()
    assert numbers(at)["Threshold"] == "–"  # noqa: RUF001
