from dataclasses import replace

import numpy as np

from pruning.figures import parts
from pruning.figures.sensitivity_heatmap import alt_of_sensitivity_heatmap, sensitivity_heatmap
from tests.pruning.figures.common import titles


def test_unknown_evaluations_are_empty_cells(running_scan):
    figure = sensitivity_heatmap(running_scan, {"fc1": 0.6, "fc3": 0.0})
    picture, marks = figure.data
    assert np.isnan(picture.z[1]).all() and picture.text[1][0] == ""
    assert picture.customdata[1][0] == "not computed yet"
    assert picture.customdata[0][0].endswith(" images")
    accuracy = running_scan.evaluations[0][0].accuracy.value
    assert picture.z[0, 0] == np.float32(accuracy)
    assert picture.text[0][0] == f"{100 * np.float32(accuracy):.0f}"
    assert list(marks.x) == ["60%"] and list(marks.y) == ["fc1"]
    assert marks.marker.color == parts.HIGHLIGHT
    assert titles(figure) == ("weights removed from one layer", "layer")
    assert len(sensitivity_heatmap(running_scan).data[1].x) == 0


def test_the_nearest_level_of_a_plan_is_marked(running_scan):
    planned = {"fc1": 0.44, "fc2": 0.1, "fc3": 0.95}
    marks = sensitivity_heatmap(running_scan, planned).data[1]
    assert list(marks.x) == ["30%", "90%"] and list(marks.y) == ["fc1", "fc3"]


def test_the_axis_says_what_is_removed(filter_scan):
    figure = sensitivity_heatmap(filter_scan)
    assert titles(figure)[0] == "filters removed from one layer"
    assert "of filters removed" in figure.data[0].hovertemplate


def test_alt(running_scan):
    alt = alt_of_sensitivity_heatmap(running_scan)
    assert "fc1 30%" in alt and "fc2" not in alt
    empty = replace(running_scan, evaluations=((None,) * 3,) * 3)
    assert "nothing computed yet" in alt_of_sensitivity_heatmap(empty)
