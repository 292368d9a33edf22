import numpy as np

from pruning.figures.activity import activity_figure, alt_of_activity


def test_a_point_for_each_unit():
    before, after = np.array([1.0, 0.5, 0.0]), np.array([0.0, 0.5, 0.0])
    first, second = activity_figure(before, after, ("dense", "pruned"), "fc1").data
    assert (first.name, list(first.y)) == ("dense", [1, 0.5, 0])
    assert (second.name, list(second.y)) == ("pruned", [0, 0.5, 0])
    text = alt_of_activity(before, after, "fc1")
    assert "mean 50% before, 17% after; never active 1 before, 2 after." in text
