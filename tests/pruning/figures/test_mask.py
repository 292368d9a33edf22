import numpy as np
import pytest

from pruning.figures.mask import Axis, alt_of_layer_mask, layer_mask
from tests.pruning.figures.common import KEPT, REMOVED, decode_image, titles

RANDOM = np.random.default_rng(0)


def test_a_linear_layer_is_drawn_as_its_matrix():
    kept = RANDOM.random((20, 30)) < 0.5
    figure = layer_mask(kept)
    image = decode_image(figure)
    assert image.shape == (20, 30, 4)
    np.testing.assert_array_equal((image[..., :3] == KEPT).all(-1), kept)
    np.testing.assert_array_equal((image[..., :3] == REMOVED).all(-1), ~kept)
    assert titles(figure) == ("input", "output unit") and not figure.layout.yaxis.scaleanchor


def test_a_convolution_is_drawn_as_a_grid_of_kernels():
    kept = RANDOM.random((4, 3, 5, 5)) < 0.5
    figure = layer_mask(kept)
    image = decode_image(figure)
    assert image.shape == (3 * 6 - 1, 4 * 6 - 1, 4)
    for output in range(4):
        for channel in range(3):
            rows, columns = slice(channel * 6, channel * 6 + 5), slice(output * 6, output * 6 + 5)
            kernel = image[rows, columns]
            np.testing.assert_array_equal((kernel[..., :3] == KEPT).all(-1), kept[output, channel])
    assert (image[5][..., 3] == 0).all()  # the lines between kernels are transparent
    assert titles(figure) == ("output channel", "input channel")
    assert figure.layout.yaxis.scaleanchor == "x"


def test_a_huge_layer_is_shrunk_to_shares():
    kept = np.zeros((1500, 2100), bool)
    kept[:750] = True
    figure = layer_mask(kept)
    image = decode_image(figure)
    assert image.shape == (1000, 1000, 4)
    assert (image[0, :, :3] == KEPT).all() and (image[-1, :, :3] == REMOVED).all()
    assert (figure.data[0].dx, figure.data[0].dy) == (2.1, 1.5)


def test_lines_between_kernels_do_not_count_in_a_shrunk_grid():
    figure = layer_mask(np.ones((400, 2, 3, 3), bool))  # 7 x 1,599 pixels
    image = decode_image(figure)
    assert image.shape == (7, 1000, 4)
    is_line = image[..., 3] == 0
    assert (image[..., :3][~is_line] == KEPT).all()


@pytest.mark.parametrize("shape", [(4, 3, 5, 5), (20, 30)])
def test_units_can_be_clicked(shape):
    kept = RANDOM.random(shape) < 0.5
    clicks = layer_mask(kept, "conv2").data[1]
    assert [list(point) for point in clicks.customdata] == [["conv2", i] for i in range(len(kept))]
    assert clicks.text[1] == f"conv2 unit 1: {1 - kept[1].mean():.1%} removed"
    assert clicks.x.dtype == clicks.y.dtype == np.float32


def test_an_axis_labels_the_centres_of_kernels():
    settings = Axis("output channel", 20, pitch=6).settings()
    assert settings["ticktext"] == ["0", "3", "7", "11", "15", "19"]
    assert list(settings["tickvals"][:2]) == [2, 20]
    assert list(Axis("input", 3).settings()["tickvals"]) == [0, 1, 2]


def test_alt():
    kept = np.array([[True, False, False]])
    alt = alt_of_layer_mask(kept, "fc1")
    assert alt == "Mask of fc1 as a matrix, 1 x 3 weights: 1 kept (blue), 2 removed (orange)."
    assert "a grid of kernels" in alt_of_layer_mask(np.ones((1, 1, 3, 3), bool), "conv1")
