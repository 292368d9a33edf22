"""One image through two networks: a test image, or one that the visitor draws or uploads."""

import numpy as np
import streamlit as st
import torch

from pages.inside.drawing import draw_own_image
from pages.inside.networks import Compared, network_of
from pages.inside.units import choose_layer
from pages.state.session import SessionState, session
from pages.state.tables import Download, draw_downloads
from pages.state.url import OWN_IMAGE, TEST_IMAGE
from pages.state.widgets import CHART, persistent, segments
from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.experiments.feature_maps import ImageTrace, trace_image
from pruning.figures.feature_maps import alt_of_outputs, feature_maps, map_scale, unit_outputs
from pruning.figures.html_page import html_page
from pruning.figures.plain_figure import PlainFigure
from pruning.figures.probabilities import alt_of_probabilities, probability_bars
from pruning.figures.tiles import colour_images, symmetric_scale, tiles

SIDE = 190
"""Height of the picture of the image, in pixels."""


def draw_one_image(compared: Compared) -> None:
    """Draw an image, what both networks predict for it, and what their layers compute.

    Parameters
    ----------
    compared : Compared
        The networks.
    """
    data = DATASETS[compared.recipes[0].dataset]
    left, right = st.columns([2, 3], gap="large")
    with left:
        source = segments("Image", [TEST_IMAGE, OWN_IMAGE], SessionState.image_source.key)
        pixels = _test_image(data.name) if source == TEST_IMAGE else draw_own_image(data)
    if pixels is None:
        right.caption("What both networks see in your image is shown here as soon as there is one.")
        return
    with left:
        _draw_pixels(pixels, is_own=source == OWN_IMAGE)
    image = torch.from_numpy(pixels)
    traces = [trace_image(network_of(recipe), image, data.name) for recipe in compared.pair]
    before, after = traces
    with right:
        _draw_probabilities(compared, before, after)
    layer = choose_layer(compared)
    figures = _draw_maps(compared, before, after, layer)
    draw_downloads(
        "one-image",
        [
            Download(
                "Figures as HTML",
                "html",
                "text/html",
                lambda: html_page(f"One image, {layer}", figures),
            )
        ],
    )


def _test_image(dataset: str) -> np.ndarray:
    """Draw the choice of a test image, and return it."""
    images = datasets.load(dataset, "test")
    last = len(images) - 1
    session.image = min(session.image, last)
    index = int(
        st.number_input(
            f"Number of the test image (0 to {last:,})",
            0,
            last,
            **persistent(SessionState.image.key),
        )
    )
    name = DATASETS[dataset].classes[int(images.labels[index])]
    st.caption(f"True class: **{name}**")
    return images.pixels[index].numpy()


def _draw_pixels(pixels: np.ndarray, *, is_own: bool) -> None:
    size = pixels.shape[-1]
    st.plotly_chart(
        tiles(colour_images(pixels[None]), texts=["the image"], height=SIDE),
        key="pixels of the image",
        alt=f"The image as the networks see it, {size} x {size} pixels.",
        **CHART,
    )
    if is_own:
        st.caption(f"Your image as the networks see it: {size} x {size} pixels.")


def _draw_probabilities(compared: Compared, before: ImageTrace, after: ImageTrace) -> None:
    classes = DATASETS[compared.recipes[0].dataset].classes
    probabilities = {
        compared.names[0]: before.probabilities,
        compared.names[1]: after.probabilities,
    }
    columns = st.columns(2)
    for column, (name, values) in zip(columns, probabilities.items(), strict=True):
        best = int(values.argmax())
        column.metric(
            f"Prediction, {name}",
            classes[best],
            f"{values[best]:.1%}",
            delta_color="off",
            delta_arrow="off",
        )
    st.plotly_chart(
        probability_bars(probabilities, classes),
        key="probabilities",
        alt=alt_of_probabilities(probabilities, classes),
        **CHART,
    )


def _draw_maps(
    compared: Compared, before: ImageTrace, after: ImageTrace, layer: str
) -> dict[str, PlainFigure]:
    """Draw what a layer computes, and return the figures by their headings."""
    first, second = before.maps[layer], after.maps.get(layer)
    if second is None:
        st.caption(f"{layer} has been removed.")
        return {}
    if first.shape != second.shape:
        st.caption(f"{layer} has another shape now.")
        return {}
    if first.ndim == 1:
        st.markdown(f"## Outputs of {layer}")
        figure = unit_outputs(first, second, compared.names)
        alt = " ".join(
            alt_of_outputs(values, layer, name)
            for name, values in zip(compared.names, (first, second), strict=True)
        )
        st.plotly_chart(figure, key="unit outputs", alt=alt, **CHART)
        return {f"Outputs of {layer}": figure}
    st.markdown(f"## Feature maps of {layer}")
    scale = map_scale([first, second], "output")
    difference = second - first
    pictures = {
        compared.names[0].capitalize(): (first, scale),
        compared.names[1].capitalize(): (second, scale),
        "Difference": (difference, symmetric_scale(difference, "after minus before")),
    }
    figures = {}
    for column, (name, (values, its_scale)) in zip(st.columns(3), pictures.items(), strict=True):
        figures[name] = feature_maps(values, its_scale, layer)
        column.markdown(f"**{name}**")
        column.plotly_chart(
            figures[name],
            key=f"maps {name}",
            alt=alt_of_outputs(values, layer, name.lower()),
            **CHART,
        )
    return figures
