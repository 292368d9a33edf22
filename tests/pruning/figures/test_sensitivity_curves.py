from dataclasses import replace

from pruning.figures.sensitivity_curves import alt_of_sensitivity_curves, sensitivity_curves
from tests.pruning.figures.common import titles


def test_unknown_evaluations_are_left_out(running_scan):
    figure = sensitivity_curves(running_scan)
    assert [len(trace.x) for trace in figure.data] == [3, 0, 3]
    assert [trace.name for trace in figure.data] == list(running_scan.layers)
    assert figure.layout.shapes[0].y0 == running_scan.dense.accuracy.value
    assert titles(figure) == ("weights removed from one layer", "validation accuracy")
    assert len(sensitivity_curves(replace(running_scan, dense=None)).layout.shapes) == 0


def test_the_axis_says_what_is_removed(filter_scan):
    figure = sensitivity_curves(filter_scan)
    assert titles(figure)[0] == "filters removed from one layer"
    assert "of filters removed" in figure.data[0].hovertemplate


def test_alt(running_scan):
    alt = alt_of_sensitivity_curves(running_scan)
    assert "fc1 30%" in alt and "fc2" not in alt
    empty = replace(running_scan, evaluations=((None,) * 3,) * 3)
    assert "nothing computed yet" in alt_of_sensitivity_curves(empty)
