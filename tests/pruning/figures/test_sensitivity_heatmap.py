import math
from dataclasses import replace

import numpy as np
import pytest

from pruning.figures import parts
from pruning.figures import sensitivity_heatmap as sensitivity_heatmap_module
from pruning.figures.sensitivity_heatmap import alt_of_sensitivity_heatmap, sensitivity_heatmap
from tests.pruning.figures.common import titles


def test_unknown_evaluations_are_empty_cells(running_scan):
    figure = sensitivity_heatmap(running_scan, {"fc1": 0.6, "fc3": 0.0})
    picture, marks = figure.data
    assert np.isnan(picture.z[1]).all() and picture.text[1][0] == ""
    assert picture.customdata[1][0] == "not computed yet"
    assert picture.customdata[0][0].endswith(" images")
    dense, accuracy = running_scan.dense.accuracy, running_scan.evaluations[0][2].accuracy
    lost = 100 * (dense.value - accuracy.value)
    assert lost > 0.05
    assert picture.z[0, 2] == pytest.approx(math.log10(lost), rel=1e-5)
    assert picture.text[0][2] == f"{lost:.1f}"
    assert list(marks.x) == ["60%"] and list(marks.y) == ["fc1"]
    assert marks.marker.color == parts.HIGHLIGHT
    assert titles(figure) == ("weights removed from one layer", "layer")
    assert len(sensitivity_heatmap(running_scan).data[1].x) == 0


def test_nothing_is_lost_before_the_dense_accuracy_is_known(running_scan):
    picture = sensitivity_heatmap(replace(running_scan, dense=None)).data[0]
    assert np.isnan(picture.z).all() and set(picture.text[0]) == {""}


def test_small_losses_differ_and_gains_have_a_sign():
    texts = sensitivity_heatmap_module._cell_texts(np.array([-0.12, -0.04, 0.04, 0.1, 10.0]))
    assert texts == ["-0.1", "0.0", "0.0", "0.1", "10.0"]


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
