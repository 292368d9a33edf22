"""The curve on Explore, on built-in data."""

import time

import pytest

from pages.explore import curve
from pruning.engine.evaluate import EvaluationProgress
from pruning.models import checkpoints
from tests.pages.common import (
    button,
    charts,
    evaluated,
    numbers,
    opened,
    run_until,
    trace,
    work_buttons,
)

LENET = {"network": "lenet300", "dataset": "digits"}

pytestmark = pytest.mark.usefixtures("no_downloads")


def has_curve(at) -> bool:
    return "curve" in [candidate["name"] for candidate in charts(at)[-1]["data"]]


def test_settings_visited_are_points_of_the_curve():
    at = opened(**LENET, sparsity="0.2")
    for value in (40.0, 60.0, 40.0):
        at.sidebar.slider[0].set_value(value).run()
    assert [round(x, 3) for x in trace(at, "visited")["x"]] == [0.2, 0.4, 0.6]
    at.sidebar.segmented_control[0].set_value("layer").run()  # another curve
    assert [round(x, 3) for x in trace(at, "visited")["x"]] == [0.4]


def test_the_curve_begins_by_itself():
    at = opened(**LENET, scope="layer", sparsity="0.5")
    run_until(at, lambda: has_curve(at) and not work_buttons(at))
    assert any("settings, each measured on all" in text.value for text in at.main.caption)
    assert not at.exception
    line = trace(at, "curve")
    assert len(line["x"]) >= 15
    assert line["x"][0] == 0
    assert line["x"][-1] == 1


def test_the_curve_of_a_recipe_with_recovery_is_computed_on_request():
    at = opened(**LENET, sparsity="0.5", recovery="reconstruct", calibration="64")
    button(at, "Compute the curve").click().run()
    run_until(at, lambda: has_curve(at) and not work_buttons(at))
    assert not at.exception


def test_values_of_single_layers_have_no_curve():
    at = opened(**LENET, scope="custom", sparsity="0.5")
    assert any("needs one value for all layers" in text.value for text in at.main.caption)
    assert not work_buttons(at)
    assert trace(at, "visited")["x"]


@pytest.mark.usefixtures("new_jobs")
@pytest.mark.parametrize(
    "network, dataset", [pair for pair in checkpoints.shipped() if pair[1] == "digits"]
)
def test_every_shipped_network_opens_and_its_curve_can_be_cancelled(network, dataset, monkeypatch):
    def slow(recipes, report):
        points = (evaluated(recipes[0]), None)
        while True:
            time.sleep(0.01)
            report(EvaluationProgress(points, 0.1))

    monkeypatch.setattr(curve, "evaluate", slow)
    at = opened(network=network, dataset=dataset, scope="erk", sparsity="0.9")
    run_until(at, lambda: has_curve(at))
    assert not at.exception
    assert not at.error
    button(at, "Cancel").click().run()
    assert numbers(at)["Sparsity"] == "90.00%"
    assert "Compute the curve" in work_buttons(at)
    assert has_curve(at)  # the points so far
