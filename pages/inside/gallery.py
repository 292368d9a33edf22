"""Test images that can be chosen, in rows that fit the page."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image

from pruning.figures.parts import png_uri
from pruning.figures.tiles import colour_images

KEY = "gallery"
ASSETS = Path(__file__).parents[2] / "assets" / "gallery"

_component = st.components.v2.component(
    KEY,
    html=(ASSETS / "component.html").read_text(),
    css=(ASSETS / "component.css").read_text(),
    js=(ASSETS / "component.js").read_text(),
)


@dataclass(frozen=True)
class Tile:
    """An image of the gallery.

    Parameters
    ----------
    index : int
        Number of the test image.
    label : str
        Below the image.
    text : str
        In full.
    """

    index: int
    label: str
    text: str


def draw_gallery(tiles: list[Tile], pixels: np.ndarray, on_choice: Callable[[], None]) -> None:
    """Draw images; a click on one of them is reported.

    Parameters
    ----------
    tiles : list of Tile
        One for each image.
    pixels : np.ndarray
        (n, C, H, W) uint8.
    on_choice : callable
        Called after a click, when `chosen_image` gives the image.
    """
    data = []
    for tile, colours in zip(tiles, colour_images(pixels), strict=True):
        source = png_uri(Image.fromarray(np.ascontiguousarray(colours)))
        data.append({**asdict(tile), "source": source})
    _component(key=KEY, data={"tiles": data}, on_chosen_change=on_choice)


def chosen_image() -> int | None:
    """Return the image of the last click, in a callback.

    Returns
    -------
    int or None
        Number of the test image; None if the browser has sent anything else.
    """
    index = st.session_state[KEY].get("chosen")
    return index if type(index) is int else None
