import numpy as np

from pruning.figures.feature_maps import (
    MAX_MAPS,
    alt_of_difference,
    alt_of_outputs,
    feature_maps,
    map_scale,
    unit_outputs,
)


def test_one_scale_for_both_networks():
    positive = map_scale([np.array([0.0, 2.0]), np.array([5.0])], "output")
    assert (positive.low, positive.high) == (0, 5)
    signed = map_scale([np.array([-3.0]), np.array([1.0])], "output")
    assert (signed.low, signed.high) == (-3, 3)
    zero = map_scale([np.zeros(3)], "output")
    assert zero.high > zero.low


def test_a_tile_for_each_channel():
    maps = np.arange(2 * 3 * 3, dtype=np.float32).reshape(2, 3, 3)
    figure = feature_maps(maps, map_scale([maps], "output"), "conv1")
    assert list(figure.data[1].text) == [
        "conv1, channel 0: mean 4, largest 8",
        "conv1, channel 1: mean 13, largest 17",
    ]
    many = feature_maps(np.zeros((100, 2, 2), np.float32), map_scale([maps], ""), "conv")
    assert len(many.data[1].text) == MAX_MAPS


def test_units_are_in_the_order_of_the_first_network():
    before, after = np.array([1.0, 5.0, 3.0]), np.array([0.0, 4.0, 6.0])
    figure = unit_outputs(before, after, ("dense", "pruned"))
    first, second = figure.data
    assert list(first.y) == [5, 3, 1] and list(second.y) == [4, 6, 0]
    assert list(first.customdata) == [1, 2, 0]
    assert (first.name, second.name) == ("dense", "pruned")


def test_alt():
    outputs = np.array([[[0.0, 1.0]], [[0.0, 0.0]]])
    text = alt_of_outputs(outputs, "conv1", "dense")
    assert text == (
        "Outputs of conv1 in the dense network: 1 of 2 are positive somewhere, mean 0.25."
    )


def test_alt_of_a_difference():
    text = alt_of_difference(np.array([[[0.0, 1.0]], [[-2.0, -2.0]]]), "conv1")
    assert "largest in channel 1, mean 2; mean over all channels 1.25." in text
