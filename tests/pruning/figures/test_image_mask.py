import numpy as np

from pruning.figures.image_mask import alt_of_image_mask, image_mask
from tests.pruning.figures.common import REMOVED, decode_image, titles


def test_removed_pixels_are_orange_over_the_image():
    image, kept = np.full((3, 32, 32), 100, np.uint8), np.ones((1, 32, 32), bool)
    kept[0, 5, 7] = False
    figure = image_mask(image, kept)
    drawn = decode_image(figure)[..., :3]
    assert drawn.shape == (256, 256, 3) and (drawn[0, 0] == 100).all()
    np.testing.assert_allclose(drawn[44, 60], 0.15 * 100 + 0.85 * np.array(REMOVED), atol=1)
    assert figure.data[1].text[5 * 32 + 7] == "row 5, column 7: 100% removed"
    assert list(figure.data[1].customdata[5 * 32 + 7]) == ["input", 5 * 32 + 7]
    assert titles(figure) == ("pixel column", "pixel row")


def test_grey_images_and_single_channels():
    kept = np.ones((3, 8, 8), bool)
    kept[0, 0, 0] = False
    figure = image_mask(np.zeros((1, 8, 8), np.uint8), kept)
    assert decode_image(figure).shape == (64, 64, 4)
    assert figure.data[1].text[0] == "row 0, column 0: 33% removed"


def test_alt():
    kept = np.array([[[True, False]]])
    assert "under the mask of its pixels: 50.0% removed" in alt_of_image_mask(kept)
