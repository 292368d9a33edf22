import numpy as np
import pytest

from pruning.figures.heatmap import (
    COLUMNS,
    alt_of_removal_difference,
    alt_of_removal_heatmap,
    removal_difference,
    removal_heatmap,
)
from tests.pruning.figures.common import titles

RANDOM = np.random.default_rng(0)


def test_many_units_are_binned_and_few_repeated():
    many, few = RANDOM.random(300), np.array([0.0, 1.0, 0.5])
    figure = removal_heatmap({"fc1": many, "fc2": few}, selected=("fc1", 12))
    picture, clicks, mark = figure.data
    assert picture.z.shape == (2, COLUMNS) and (picture.zmin, picture.zmax) == (0, 1)
    assert picture.z.dtype == np.float32
    np.testing.assert_allclose(picture.z[0], many.reshape(60, 5).mean(1), rtol=1e-5)
    np.testing.assert_allclose(picture.z[1], np.repeat(few, 20))
    assert len(clicks.x) == 63
    assert list(clicks.customdata[0]) == ["fc1", 0]
    assert list(clicks.customdata[60]) == ["fc2", 0]
    assert clicks.text[0].startswith("fc1, unit 0 to 4 of 300")
    assert clicks.text[61] == "fc2, unit 1 of 3: 100.0% removed"
    assert list(clicks.x[60:]) == [9.5, 29.5, 49.5]
    assert list(mark.x) == [2] and list(mark.y) == ["fc1"]
    assert all(titles(figure))


@pytest.mark.parametrize("selected", [None, ("fc9", 0)])
def test_nothing_is_marked_without_a_selected_unit(selected):
    assert len(removal_heatmap({"fc": np.zeros(3)}, selected).data[2].x) == 0


@pytest.mark.parametrize("units", [1, 59, 60, 61, 119, 1000])
def test_every_unit_is_in_the_heatmap(units):
    values = np.zeros(units)
    for unit in (0, units // 2, units - 1):
        values[:] = 0
        values[unit] = 1
        assert removal_heatmap({"fc": values}).data[0].z.max() > 0


def test_alt():
    alt = alt_of_removal_heatmap({"fc2": np.array([0.0, 1.0, 0.5])})
    assert "fc2 50% (unit by unit 0% to 100%)" in alt


def test_the_difference_is_that_of_the_shares():
    first = {"fc1": RANDOM.random(300), "fc2": np.array([0.0, 1.0, 0.5])}
    second = {"fc1": RANDOM.random(300), "fc2": np.array([1.0, 0.5, 0.5])}
    picture, clicks, _ = removal_difference(first, second).data
    assert (picture.zmin, picture.zmax) == (-1, 1)
    np.testing.assert_allclose(picture.z[1], np.repeat([1.0, -0.5, 0.0], 20))
    difference = removal_heatmap(second).data[0].z - removal_heatmap(first).data[0].z
    np.testing.assert_allclose(picture.z, difference, atol=1e-6)
    assert clicks.text[61] == "fc2, unit 1 of 3: -50.0% removed in B against A"
    assert "fc2 50% in A, 67% in B" in alt_of_removal_difference(first, second)
