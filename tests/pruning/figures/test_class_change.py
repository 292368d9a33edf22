import numpy as np

from pruning.figures import parts
from pruning.figures.class_change import alt_of_class_change, class_change
from tests.pruning.figures.common import titles

CHANGES = [np.array([-1.234, 0.5]), np.array([0.0, -2.0])]


def test_a_bar_for_each_class_and_column():
    figure = class_change(["1. A", "2. B"], ["cat", "dog"], CHANGES)
    first, second = figure.data
    assert list(first.x) == ["cat", "dog"] and list(first.y) == [-1.23, 0.5]
    assert (first.name, first.marker.color) == ("1. A", parts.COLUMN_COLOURS[0])
    assert second.marker.color == parts.COLUMN_COLOURS[1]
    assert titles(figure) == ("class", "change of accuracy (points)")


def test_the_top_margin_has_room_for_the_legend():
    names = ["a name that takes a row of the legend"] * 6
    assert class_change(names, ["cat", "dog"], CHANGES[:1] * 6).layout.margin.t >= 120


def test_alt():
    alt = alt_of_class_change(["1. A", "2. B"], CHANGES)
    assert alt.endswith("points: 1. A -1.2, +0.5; 2. B +0.0, -2.0.")
