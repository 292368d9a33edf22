import numpy as np
import pytest
from PIL import ImageColor

from pruning.figures.mask import (
    DIFFERENCE_COLOURS,
    Axis,
    alt_of_layer_mask,
    alt_of_mask_difference,
    layer_mask,
    mask_difference,
)
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


@pytest.mark.parametrize("shape", [(20, 30), (4, 3, 5, 5)])
def test_the_difference_of_two_masks_has_four_colours(shape):
    first, second = RANDOM.random((2, *shape)) < 0.5
    figure = mask_difference(first, second, "fc1")
    image = decode_image(figure)[..., :3]
    for colour, is_class in zip(
        DIFFERENCE_COLOURS,
        [first & second, ~first & second, first & ~second, ~first & ~second],
        strict=True,
    ):
        drawn = (image == ImageColor.getrgb(colour)).all(-1)
        assert drawn.sum() == is_class.sum()
        if len(shape) == 2:
            np.testing.assert_array_equal(drawn, is_class)
    assert "removed in A, " in figure.data[1].text[0]
    same = layer_mask(first, "fc1")
    assert figure.layout.xaxis == same.layout.xaxis and figure.layout.yaxis == same.layout.yaxis


def test_the_colours_of_a_huge_difference_are_mixed():
    first, second = np.zeros((2, 1500, 2000), bool)
    first[:750], second[:750, ::2] = True, True
    image = decode_image(mask_difference(first, second))
    assert image.shape == (1000, 1000, 4)
    colours = np.array([ImageColor.getrgb(colour) for colour in DIFFERENCE_COLOURS])
    np.testing.assert_allclose(
        image[0, :, :3], np.tile((colours[0] + colours[2]) / 2, (1000, 1)), atol=1
    )
    assert (image[-1, :, :3] == colours[3]).all() and (image[..., 3] == 255).all()


def test_lines_between_kernels_stay_transparent_in_a_huge_difference():
    masks = np.ones((2, 400, 2, 3, 3), bool)
    image = decode_image(mask_difference(*masks))
    is_line = image[..., 3] == 0
    assert is_line.any() and (image[..., :3][~is_line] == KEPT).all()


def test_alt_of_the_difference():
    first = np.array([[True, True, False, False, False]])
    second = np.array([[True, False, True, False, False]])
    alt = alt_of_mask_difference(first, second, "fc1")
    for part in ("1 weights kept in both", "2 removed in both", "1 removed in A", "1 removed in B"):
        assert part in alt
