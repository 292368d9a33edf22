import numpy as np

from pruning.figures.layer_filters import MAX_INPUTS, alt_of_layer_filters, layer_filters

RANDOM = np.random.default_rng(0)


def test_one_input_is_a_square_of_filters():
    weights = RANDOM.normal(size=(6, 1, 5, 5)).astype(np.float32)
    kept = np.ones(weights.shape, bool)
    kept[2] = False
    kept[4, 0, 0] = False
    figure = layer_filters(weights, kept, "conv1")
    texts = figure.data[1].text
    assert texts[2] == "conv1, filter 2, input 0: 25 of 25 weights removed"
    assert texts[4] == "conv1, filter 4, input 0: 5 of 25 weights removed"
    assert [list(data) for data in figure.data[1].customdata][2] == ["conv1", 2]
    assert len(set(figure.data[1].y)) == 2
    assert alt_of_layer_filters(kept, "conv1").endswith("Without any weight left: 2.")


def test_more_inputs_are_columns():
    weights = RANDOM.normal(size=(4, 20, 3, 3)).astype(np.float32)
    figure = layer_filters(weights, np.ones(weights.shape, bool), "conv")
    assert len(figure.data[1].x) == 4 * MAX_INPUTS
    assert len(set(figure.data[1].y)) == 4
