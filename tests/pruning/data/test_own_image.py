import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from pruning.data import datasets, own_image
from pruning.data.datasets import DATASETS
from pruning.data.own_image import (
    bright_ink,
    digit_like,
    image_from_text,
    image_like,
    image_to_text,
    read_image,
)

MNIST, DIGITS, CIFAR = (DATASETS[name] for name in ("mnist", "digits", "cifar10"))


def encoded(image: Image.Image, format: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format)
    return buffer.getvalue()


@pytest.mark.skipif(not datasets.available("mnist"), reason="needs MNIST")
def test_images_of_mnist_stay_as_they_are():
    images = datasets.load("mnist", "test").pixels[:300].numpy()
    errors = []
    for image in images:
        made = digit_like(MNIST, image[0].astype(float))
        errors.append(np.abs(made.astype(float) - image).mean())
    assert np.median(errors) == 0  # of 255
    assert np.mean(errors) < 0.2


inks = arrays(
    np.float64, st.tuples(st.integers(5, 60), st.integers(5, 60)), elements=st.floats(0, 255)
)


@given(inks)
def test_a_digit_fills_its_box_and_is_centred(ink):
    ink = np.where(ink < 120, 0, ink)
    if not ink.any():
        with pytest.raises(ValueError, match="empty"):
            digit_like(MNIST, ink)
        return
    [image] = digit_like(MNIST, ink)
    assert image.shape == (28, 28) and image.dtype == np.uint8
    rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
    if len(rows):
        assert rows[-1] - rows[0] < MNIST.digit_box
        assert columns[-1] - columns[0] < MNIST.digit_box
        centre = (image.sum(1) * np.arange(28)).sum() / image.sum()
        is_at_the_edge = rows[0] == 0 or rows[-1] == 27
        assert abs(centre - 14) <= 1 or is_at_the_edge or rows[-1] - rows[0] < 3


def test_dark_ink_on_paper_becomes_bright_ink():
    paper = np.full((40, 40), 230.0)
    paper[10:30, 18:22] = 20
    ink = bright_ink(paper)
    assert ink[20, 20] == pytest.approx(255) and ink[0, 0] == 0
    assert np.array_equal(ink > 0, bright_ink(255 - paper) > 0)


def test_shadows_are_not_ink():
    paper = np.full((40, 40), 200.0) - np.linspace(0, 20, 40)[:, None]
    paper[10:30, 18:22] = 0
    assert np.array_equal(np.flatnonzero(bright_ink(paper).any(0)), np.arange(18, 22))


def test_an_uploaded_digit_is_like_mnist():
    drawing = np.full((300, 200), 255, np.uint8)
    drawing[50:250, 90:110] = 0
    picture = read_image(encoded(Image.fromarray(drawing)))
    image = image_like(MNIST, picture)
    assert image.shape == (1, 28, 28)
    assert np.flatnonzero(image[0].any(1)).tolist() == list(range(4, 24))


def test_a_photograph_is_cut_to_a_square():
    picture = Image.new("RGB", (200, 100), "white")
    picture.paste("red", (50, 0, 150, 100))
    image = image_like(CIFAR, read_image(encoded(picture, "JPEG")))
    assert image.shape == (3, 32, 32)
    assert image[0].min() > 230 and image[1].max() < 30


def test_transparent_pictures_are_on_white():
    picture = Image.new("RGBA", (10, 10), (0, 0, 0, 0))
    assert read_image(encoded(picture)).getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"x" * 50])
def test_other_files_are_refused_with_a_sentence(content):
    with pytest.raises(ValueError, match="PNG or JPEG"):
        read_image(content)


def test_truncated_pictures_are_refused():
    content = encoded(Image.effect_noise((64, 64), 50))
    for length in range(0, len(content) - 20, 97):
        with pytest.raises(ValueError, match="PNG or JPEG"):
            read_image(content[:length])


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content):
    try:
        read_image(content)
    except ValueError as error:
        assert str(error)


def test_large_pictures_are_refused_before_they_are_decoded(monkeypatch):
    monkeypatch.setattr(own_image, "MAX_PIXELS", 99)
    with pytest.raises(ValueError, match="10 x 10 pixels"):
        read_image(encoded(Image.new("RGB", (10, 10))))
    with pytest.raises(ValueError, match="more than 5 MB"):
        read_image(b"x" * (own_image.MAX_BYTES + 1))


@given(arrays(np.uint8, (1, 28, 28), elements=st.sampled_from([0, 0, 0, 255])))
def test_an_image_survives_its_text(image):
    text = image_to_text(image)
    assert np.array_equal(image_from_text(text, MNIST), image)
    assert text.replace("-", "").replace("_", "").isalnum()


@given(st.text(max_size=100) | st.binary(max_size=100).map(lambda data: data.hex()))
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match="drawn must be an image of 28 x 28 pixels"):
        image_from_text(text, DIGITS)


def test_a_text_cannot_grow_without_limit():
    bomb = image_to_text(np.zeros((3, 3_000, 300), np.uint8))
    with pytest.raises(ValueError, match="28 x 28"):
        image_from_text(bomb, MNIST)
    with pytest.raises(ValueError, match="28 x 28"):
        image_from_text("A" * 3_000, MNIST)


def test_16_bits_are_read():
    paper = np.full((40, 40), 60_000, np.uint16)
    paper[10:30, 18:22] = 5_000
    image = image_like(MNIST, read_image(encoded(Image.fromarray(paper))))
    assert np.flatnonzero(image[0].any(1)).tolist() == list(range(4, 24))


def test_large_pictures_are_reduced_and_turned():
    picture = Image.new("RGB", (1_600, 800), "white")
    exif = Image.Exif()
    exif[own_image.ORIENTATION] = 6
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", exif=exif)
    read = read_image(buffer.getvalue())
    assert read.size == (own_image.REDUCED // 2, own_image.REDUCED)


@given(st.sampled_from(["PNG", "JPEG"]), st.integers(0, 10_000), st.binary(min_size=1, max_size=4))
def test_damaged_pictures_are_read_or_refused_with_the_same_sentence(format, position, damage):
    exif = Image.Exif()
    exif[own_image.ORIENTATION] = 6
    buffer = io.BytesIO()
    Image.effect_noise((24, 24), 50).save(buffer, format, exif=exif)
    content = bytearray(buffer.getvalue())
    position %= len(content)
    content[position : position + len(damage)] = damage
    try:
        assert read_image(bytes(content)).mode == "RGB"
    except ValueError as error:
        assert "not a readable picture" in str(error) or "pixels" in str(error)
