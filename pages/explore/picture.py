"""Parts that the pictures of Explore share."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from pages.explore.unit_inspector import take_click
from pages.state.widgets import CHART
from pruning.figures.plain_figure import PlainFigure


@dataclass(frozen=True)
class Picture:
    """A figure with its alternative text.

    Parameters
    ----------
    figure : PlainFigure
        The figure.
    alt : str
        The same in words.
    """

    figure: PlainFigure
    alt: str


def draw_clickable(picture: Picture, key: str) -> None:
    """Draw a figure; a click on a unit opens it in the unit inspector.

    Parameters
    ----------
    picture : Picture
        Of what the page shows.
    key : str
        Key of the chart.
    """
    options: dict[str, Any] = {
        "on_select": partial(take_click, key),
        "selection_mode": "points",
    }
    st.plotly_chart(picture.figure, key=key, alt=picture.alt, **options, **CHART)


def draw_picture_of_a(picture: Picture, key: str, title: str) -> None:
    """Draw a figure of state A below that of B.

    Parameters
    ----------
    picture : Picture
        Of state A.
    key : str
        Key of the chart.
    title : str
        What it shows.
    """
    st.markdown(f":gray-badge[A] {title}")
    st.plotly_chart(picture.figure, key=key, alt=picture.alt, **CHART)
