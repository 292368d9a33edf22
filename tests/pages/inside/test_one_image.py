"""One image through the network, on built-in data."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from pages.inside import drawing
from pruning.data import datasets
from pruning.data.own_image import image_to_text
from tests.pages.common import numbers
from tests.pages.driver import finished, opened_page

LENET = {"network": "lenet5", "dataset": "digits", "sparsity": "0.2", "show": "image"}

pytestmark = pytest.mark.usefixtures("no_downloads")


def test_the_predictions_of_a_test_image():
    at = finished(opened_page("inside", **LENET, image="5"))
    label = int(datasets.load("digits", "test").labels[5])
    assert f"True class: **{label}**" in [caption.value for caption in at.main.caption]
    assert numbers(at)["Prediction, dense"] == str(label)


def test_an_image_in_the_link():
    pixels = datasets.load("digits", "test").pixels[5].numpy()
    label = int(datasets.load("digits", "test").labels[5])
    text = image_to_text(pixels)
    at = finished(opened_page("inside", **LENET, drawn=text))
    assert numbers(at)["Prediction, dense"] == str(label)
    at.run()
    assert at.query_params["drawn"] == text


def picture(content: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(content).save(buffer, "PNG")
    return buffer.getvalue()


def own_image_page():
    at = finished(opened_page("inside", **LENET))
    return finished(at.main.button_group(key="image_source").set_value("Your own").run())


def upload(at, content: bytes):
    file = ("digit.png", content, "image/png")
    return at.main.get("file_uploader")[0].set_value(file).run()


def test_a_picture_is_uploaded():
    at = own_image_page()
    assert "Prediction, dense" not in numbers(at)
    digit = datasets.load("digits", "test").pixels[5, 0].numpy()
    label = int(datasets.load("digits", "test").labels[5])
    at = upload(at, picture(np.kron(255 - digit, np.ones((5, 5), np.uint8))))
    assert numbers(at)["Prediction, dense"] == str(label)


@pytest.mark.parametrize(
    "content, sentence",
    [(b"nothing", "not a readable picture"), (picture(np.zeros((9, 9), np.uint8)), "is empty")],
    ids=["no picture", "empty picture"],
)
def test_other_files_are_described(content, sentence):
    at = upload(own_image_page(), content)
    assert not at.exception
    assert sentence in at.warning[0].value


@pytest.mark.parametrize("text", ["", "abc", "é", "AAAA" * 20_000])
def test_other_drawings_are_refused(text):
    with pytest.raises(ValueError, match="112 x 112 pixels"):
        drawing._ink_from_text(text)


def test_ink_of_a_drawing():
    ink = np.arange(112 * 112, dtype=np.uint8).reshape(112, 112)
    text = base64.b64encode(ink.tobytes()).decode()
    assert np.array_equal(drawing._ink_from_text(text), ink)
