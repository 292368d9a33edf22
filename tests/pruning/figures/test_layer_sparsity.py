import numpy as np

from pruning.figures.layer_sparsity import alt_of_layer_sparsity, layer_sparsity
from tests.pruning.figures.common import titles

NAMES = ["1. Weights", "2. Filters"]
SPARSITIES = [{"fc1": 0.25, "fc2": 1.0}, {"fc1": 0.5, "fc2": -0.5}]


def test_a_row_for_each_layer_and_a_column_for_each_recipe():
    figure = layer_sparsity(NAMES, SPARSITIES)
    [trace] = figure.data
    np.testing.assert_allclose(trace.z, [[0.25, 0.5], [1.0, -0.5]])
    assert list(trace.x) == ["1", "2"] and list(trace.y) == ["fc1", "fc2"]
    assert (trace.zmin, trace.zmax) == (0, 1)
    assert [list(row) for row in trace.text] == [["25%", "50%"], ["100%", "refitted"]]
    assert [list(row) for row in trace.customdata] == [NAMES, NAMES]
    assert "of weights removed" in trace.hovertemplate and all(titles(figure))


def test_alt():
    alt = alt_of_layer_sparsity(NAMES, SPARSITIES)
    assert alt.startswith("Sparsity of each layer: 1. Weights fc1 25%, fc2 100%; 2. Filters fc1")
