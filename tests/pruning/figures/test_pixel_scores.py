import numpy as np

from pruning.figures.pixel_scores import alt_of_pixel_scores, pixel_scores
from tests.pruning.figures.common import titles


def test_scores_are_averaged_over_channels():
    scores = np.random.default_rng(0).random((3, 4, 4))
    figure = pixel_scores(scores)
    picture, clicks = figure.data
    np.testing.assert_allclose(picture.z, scores.mean(0), rtol=1e-6)
    assert [list(point) for point in clicks.customdata] == [["input", i] for i in range(16)]
    assert (clicks.x[6], clicks.y[6]) == (2, 1) and clicks.x.dtype == np.uint8
    assert clicks.text[6] == f"row 1, column 2: {np.float32(scores[:, 1, 2].mean()):.4g}"
    assert titles(figure) == ("pixel column", "pixel row")


def test_alt_leaves_out_removed_pixels():
    scores = np.array([[[np.nan, 1.0], [2.0, 3.0]]])
    assert alt_of_pixel_scores(scores, "Random").endswith("by Random, from 1 to 3.")
