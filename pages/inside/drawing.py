"""An image that the visitor draws or uploads."""

import base64
from pathlib import Path

import numpy as np
import streamlit as st

from pages.state.messages import escape_markdown, sentence
from pages.state.session import SessionState, session
from pages.state.visitor import forget_upload
from pruning.data.datasets import DATASETS, Dataset
from pruning.data.own_image import (
    FORMATS,
    MAX_BYTES,
    MAX_TEXT,
    OwnImage,
    digit_like,
    image_like,
    image_to_text,
    read_image,
)
from pruning.recipe.recipe import Recipe

KEY = "drawing"
ASSETS = Path(__file__).parents[2] / "assets" / "drawing"
SIDE = 112
"""Side of what the browser sends, in pixels."""
FAINTEST = 26
"""Fainter ink, of 255, is what the eraser has left at its edges."""

_component = st.components.v2.component(
    KEY,
    html=(ASSETS / "component.html").read_text(),
    css=(ASSETS / "component.css").read_text(),
    js=(ASSETS / "component.js").read_text(),
)


def draw_own_image(data: Dataset) -> np.ndarray | None:
    """Draw a canvas, if the dataset is of digits, and an uploader.

    Parameters
    ----------
    data : Dataset
        Whose images the network expects.

    Returns
    -------
    np.ndarray or None
        (C, H, W) uint8, like the images of the dataset; None if there is no image yet.
    """
    if data.digit_box:
        st.caption("Draw a digit with mouse, pen or finger.")
        data_of_canvas = {"side": SIDE, "ink": session.ink}
        _component(key=KEY, data=data_of_canvas, on_drawn_change=_take_drawing)
    key = SessionState.picture_widgets.of(session.pictures)
    names = " or ".join(FORMATS)
    what = "of a digit" if data.digit_box else "of anything"
    st.file_uploader(
        f"Or upload a picture {what} ({names}, up to {MAX_BYTES // 1_000_000} MB)",
        [name.lower() for name in (*FORMATS, "JPG")],
        key=key,
        on_change=_take_upload,
        args=[key],
    )
    image = session.own_image
    if image is None or image.dataset != data.name:
        return None
    if len(image_to_text(image.pixels)) > MAX_TEXT:
        st.caption("The picture is too large to be part of the link.")
    return image.pixels


def _shown_dataset() -> Dataset | None:
    recipe: Recipe | None = session.recipe
    return None if recipe is None else DATASETS[recipe.dataset]


def _take_drawing() -> None:
    """Take over a drawing, in a callback."""
    data, text = _shown_dataset(), st.session_state[KEY].get("drawn")
    if data is None or not data.digit_box or not isinstance(text, str):
        return
    try:
        ink = _ink_from_text(text)
    except ValueError as error:
        session.message = escape_markdown(sentence(error))
        return
    session.ink = text
    ink = np.where(ink < FAINTEST, 0, ink)
    if ink.any():
        session.own_image = OwnImage(digit_like(data, ink.astype(np.float32)), data.name)
    else:
        session.own_image = None


def _ink_from_text(text: str) -> np.ndarray:
    """Return the ink that the browser sends, (SIDE, SIDE) uint8."""
    problem = f"a drawing must have {SIDE} x {SIDE} pixels"
    if len(text) > 2 * SIDE * SIDE:
        raise ValueError(problem)
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError as error:  # not ASCII, or not base64
        raise ValueError(problem) from error
    if len(content) != SIDE * SIDE:
        raise ValueError(problem)
    return np.frombuffer(content, np.uint8).reshape(SIDE, SIDE)


def _take_upload(key: str) -> None:
    """Take over an uploaded picture, in a callback."""
    data, upload = _shown_dataset(), st.session_state.get(key)
    if data is None or upload is None:
        return
    session.pictures += 1  # the uploader of the next run has another key
    try:
        pixels = image_like(data, read_image(upload.getvalue()))
        session.own_image, session.ink = OwnImage(pixels, data.name), ""
    except ValueError as error:
        session.message = escape_markdown(sentence(error))
    finally:
        forget_upload(upload)
