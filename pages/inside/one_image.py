"""One image through two networks: a test image, or one that the visitor draws or uploads."""

from functools import partial

import numpy as np
import streamlit as st
import torch
from torch import nn

from pages.inside.drawing import draw_own_image
from pages.inside.networks import Compared, await_networks, network_of
from pages.inside.units import choose_layer
from pages.state.session import SessionState, session
from pages.state.tables import Download, draw_downloads
from pages.state.url import OWN_IMAGE, TEST_IMAGE
from pages.state.widgets import CHART, NEUTRAL_DELTA, persistent, segments
from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.experiments.feature_maps import (
    ImageTrace,
    observed_modules,
    read_after,
    trace_image,
)
from pruning.figures.feature_maps import (
    MAX_MAPS,
    alt_of_difference,
    alt_of_outputs,
    feature_maps,
    map_scale,
    unit_outputs,
)
from pruning.figures.html_page import html_page
from pruning.figures.plain_figure import PlainFigure
from pruning.figures.probabilities import alt_of_probabilities, probability_bars
from pruning.figures.tiles import colour_images, symmetric_scale, tiles

SIDE = 190
"""Height of the picture of the image, in pixels."""


def await_and_draw_one_image(compared: Compared) -> None:
    """Draw an image, what both networks predict for it, and what their layers compute.

    Parameters
    ----------
    compared : Compared
        The networks.
    """
    data = DATASETS[compared.recipes[0].dataset]
    left, right = st.columns([2, 3], gap="large")
    with left:
        has_own = session.own_image is not None and data.accepts_pictures
        source = segments(
            "Image",
            [TEST_IMAGE, OWN_IMAGE] if data.accepts_pictures else [TEST_IMAGE],
            SessionState.image_source.key,
            default=1 if has_own else 0,
        )
        pixels = _test_image(data.name) if source == TEST_IMAGE else draw_own_image(data)
    if pixels is None:
        right.caption("The predictions for your image are shown here as soon as there is one.")
        return
    with left:
        _draw_pixels(pixels, is_own=source == OWN_IMAGE)
    if not await_networks(compared):
        return
    image = torch.from_numpy(pixels)
    traces = [trace_image(network_of(recipe), image, data.name) for recipe in compared.pair]
    before, after = traces
    with right:
        figures = {"Probabilities": _draw_probabilities(compared, before, after)}
    layer = choose_layer(compared)
    figures |= _draw_maps(compared, before, after, layer)
    content = partial(html_page, f"One image, {layer}", figures)
    draw_downloads("one-image", [Download("Figures as HTML", "html", "text/html", content)])


def _test_image(dataset: str) -> np.ndarray:
    """Draw the choice of a test image, and return it."""
    images = datasets.load(dataset, "test")
    last = len(images) - 1
    session.image = min(max(session.image, 0), last)
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
        alt=f"The image that the networks receive, {size} x {size} pixels.",
        **CHART,
    )
    if is_own:
        st.caption(
            f"Your image as the networks receive it: {size} x {size} pixels, a digit scaled and "
            "centred as those of the dataset."
        )


def _draw_probabilities(compared: Compared, before: ImageTrace, after: ImageTrace) -> PlainFigure:
    classes = DATASETS[compared.recipes[0].dataset].classes
    probabilities = {
        compared.names[0]: before.probabilities,
        compared.names[1]: after.probabilities,
    }
    columns = st.columns(2)
    for column, (name, values) in zip(columns, probabilities.items(), strict=True):
        best = int(values.argmax())
        column.metric(f"Prediction, {name}", classes[best], f"{values[best]:.1%}", **NEUTRAL_DELTA)
    figure = probability_bars(probabilities, classes)
    alt = alt_of_probabilities(probabilities, classes)
    st.plotly_chart(figure, key="probabilities", alt=alt, **CHART)
    return figure


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
    place = read_after(_module_of(compared, layer))
    if first.ndim == 1:
        st.markdown(f"## Outputs of {layer}")
        figure = unit_outputs(first, second, compared.names)
        texts = []
        for name, values in zip(compared.names, (first, second), strict=True):
            texts.append(alt_of_outputs(values, layer, name))
        st.plotly_chart(figure, key="unit outputs", alt=" ".join(texts), **CHART)
        st.caption(f"Read after the {place}.")
        return {f"Outputs of {layer}": figure}
    st.markdown(f"## Feature maps of {layer}")
    count = f"the first {MAX_MAPS} of {len(first)} channels" if len(first) > MAX_MAPS else ""
    st.caption(", ".join(part for part in (f"Read after the {place}", count) if part) + ".")
    scale = map_scale([first, second], "output")
    difference = second - first
    pictures = {
        compared.names[0].capitalize(): (first, scale),
        compared.names[1].capitalize(): (second, scale),
        "Difference": (difference, symmetric_scale(difference, "after minus before")),
    }
    figures = {}
    with st.container(key="pictures"):  # one below the other in a narrow window
        columns = st.columns(3)
    for column, (name, (values, its_scale)) in zip(columns, pictures.items(), strict=True):
        figures[name] = feature_maps(values, its_scale, layer)
        column.markdown(f"**{name}**")
        is_difference = name == "Difference"
        alt = (
            alt_of_difference(values, layer)
            if is_difference
            else alt_of_outputs(values, layer, name)
        )
        column.plotly_chart(figures[name], key=f"maps {name}", alt=alt, **CHART)
    return figures


def _module_of(compared: Compared, layer: str) -> nn.Module:
    """Return the module after which the output of a layer is read, in the dense network."""
    model = network_of(compared.recipes[0]).model
    return model.get_submodule(observed_modules(model)[layer])
