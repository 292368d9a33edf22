import base64
import io

import numpy as np
import pytest
from PIL import Image

from pruning.figures.parts import REMOVED
from pruning.figures.tiles import Scale, colour_images, symmetric_scale, tiles


def picture_of(figure) -> np.ndarray:
    content = base64.b64decode(figure.data[0].source.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(content)))


def colour_at(figure, x: float, y: float) -> tuple[int, ...]:
    """Colour of the picture at a position of the axes."""
    trace = figure.data[0]
    column = round((x - trace.x0) / trace.dx)
    row = round((y - trace.y0) / trace.dy)
    return tuple(int(value) for value in picture_of(figure)[row, column])


def test_every_tile_has_its_colour_at_its_point():
    images = np.stack([np.full((5, 5), value) for value in (-1.0, 0.0, 1.0)])
    figure = tiles(images, texts=["a", "b", "c"], scale=symmetric_scale(images, "weight"))
    points = figure.data[1]
    assert list(points.text) == ["a", "b", "c"]
    assert [list(data) for data in points.customdata] == [[0], [1], [2]]
    colours = [colour_at(figure, x, y) for x, y in zip(points.x, points.y, strict=True)]
    red, white, blue = colours
    assert red[0] > red[2] and blue[2] > blue[0] and min(white[:3]) > 240
    assert figure.data[2].marker.cmin == -1 and figure.data[2].marker.cmax == 1


def test_pixels_are_where_they_belong():
    image = np.zeros((1, 4, 6))
    image[0, 1, 4] = 1
    figure = tiles(image, texts=["one"], scale=Scale("Greys_r", 0, 1))
    assert colour_at(figure, 4, 1)[:3] == (255, 255, 255)
    assert colour_at(figure, 1, 1)[:3] == (0, 0, 0)
    assert len(figure.data) == 2  # no colour bar without a title


def test_removed_tiles_are_faint_and_framed():
    images = np.ones((2, 5, 5))
    removed = np.array([True, False])
    figure = tiles(images, texts=["a", "b"], scale=Scale("Cividis", 0, 1), removed=removed)
    points = figure.data[1]
    assert colour_at(figure, points.x[0], points.y[0])[3] < 100
    assert colour_at(figure, points.x[1], points.y[1])[3] == 255
    frame = tuple(int(REMOVED[start : start + 2], 16) for start in (1, 3, 5))
    assert colour_at(figure, -0.51, 2)[:3] == frame


@pytest.mark.parametrize("count, columns, rows", [(1, None, 1), (16, None, 4), (7, 3, 3)])
def test_the_grid(count, columns, rows):
    figure = tiles(np.zeros((count, 8, 8, 3), np.uint8), texts=[""] * count, columns=columns)
    assert len(set(figure.data[1].y)) == rows


def test_labels_are_below_their_tiles():
    images = colour_images(np.zeros((3, 1, 8, 8), np.uint8))
    figure = tiles(images, texts=["", "", ""], labels=["x", "y", "z"], columns=2)
    labels = figure.layout.annotations
    assert [label.text for label in labels] == ["x", "y", "z"]
    for label, y in zip(labels, figure.data[1].y, strict=True):
        assert y < label.y < y + 8


def test_grey_and_coloured_images():
    grey = colour_images(np.full((2, 1, 4, 4), 9, np.uint8))
    assert grey.shape == (2, 4, 4, 3) and (grey == 9).all()
    pixels = np.arange(3, dtype=np.uint8)[None, :, None, None] * np.ones((1, 1, 2, 2), np.uint8)
    assert colour_images(pixels)[0, 1, 1].tolist() == [0, 1, 2]
