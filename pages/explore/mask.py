"""The mask of a layer, or of the image."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import streamlit as st

from pages.explore.picture import Picture, draw_clickable, draw_picture_of_a
from pages.state.session import SessionState, session
from pages.state.url import put_recipe_link
from pages.state.widgets import CHART, select
from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.engine.pruned_network import PrunedNetwork
from pruning.figures.image_mask import alt_of_image_mask, image_mask
from pruning.figures.mask import (
    DIFFERENCE_COLOURS,
    alt_of_layer_mask,
    alt_of_mask_difference,
    layer_mask,
    mask_difference,
)
from pruning.figures.pixel_sparsity import alt_of_pixel_sparsity, pixel_sparsity
from pruning.models import prunable

INPUT = "input"
"""Name of the mask of the input image."""
MASK_CHART = "mask of a layer"
MASK_OF_A = "mask of A"
DIFFERENCE_NAMES = ("kept in both", "removed in A only", "removed in B only", "removed in both")


def draw_mask(pruned: PrunedNetwork, network_a: PrunedNetwork | None = None) -> None:
    """Draw the mask of a layer, or of the image.

    Parameters
    ----------
    pruned : PrunedNetwork
        The result of a recipe.
    network_a : PrunedNetwork, optional
        State A: the difference is drawn if there is one, or both.
    """
    options = _mask_options(pruned)
    session.default_mask = options.names[options.default]
    has_input = INPUT in options.names
    heading = "Mask of a layer or of the image" if has_input else "Mask of a layer"
    st.markdown(f"## {heading}")
    name = select(
        "Layer of the mask",
        options.names,
        SessionState.mask.key,
        label_visibility="collapsed",
        default=options.default,
    )
    put_recipe_link(pruned.recipe)  # which may have been written with another default
    if network_a is not None and not session.both:
        masks = _comparable_masks(pruned, network_a, name)
        if masks is not None:
            _draw_mask_difference(masks, name)
            return
    _draw_mask_of(pruned, name)
    if network_a is not None:
        options = _mask_options(network_a)
        name_in_a = name if name in options.names else options.names[options.default]
        title = name_in_a if name == name_in_a else f"{name_in_a} (A has no {name})"
        draw_picture_of_a(mask_picture(network_a, name_in_a), MASK_OF_A, title)


def _layer_mask_of(pruned: PrunedNetwork, name: str) -> np.ndarray:
    return pruned.masks.complete(pruned.model)[f"{name}.weight"].numpy()


def _comparable_masks(
    pruned: PrunedNetwork, network_a: PrunedNetwork, name: str
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the masks of a layer in A and in B, if it has the same weights in both."""
    is_same_network = pruned.recipe.network == network_a.recipe.network
    if not is_same_network or name == INPUT or name not in prunable(network_a.model):
        return None
    kept_in_a, kept_in_b = _layer_mask_of(network_a, name), _layer_mask_of(pruned, name)
    return (kept_in_a, kept_in_b) if kept_in_a.shape == kept_in_b.shape else None


def _draw_mask_difference(masks: tuple[np.ndarray, np.ndarray], name: str) -> None:
    kept_in_a, kept_in_b = masks
    figure = mask_difference(kept_in_a, kept_in_b, name)
    alt = alt_of_mask_difference(kept_in_a, kept_in_b, name)
    draw_clickable(Picture(figure, alt), MASK_CHART)
    _draw_legend(dict(zip(DIFFERENCE_NAMES, DIFFERENCE_COLOURS, strict=True)))


def _draw_legend(colours: Mapping[str, str]) -> None:
    """Draw the names of colours in a row below an image, which has no legend of its own."""
    entries = []
    for name, colour in colours.items():
        swatch = f'<span class="swatch" style="background: {colour}"></span>'
        entries.append(f"<span>{swatch}{name}</span>")
    st.html(f'<div class="swatches">{"".join(entries)}</div>')


@dataclass(frozen=True)
class _MaskOptions:
    names: list[str]
    default: int


def _mask_options(pruned: PrunedNetwork) -> _MaskOptions:
    """List the masks: the image, if it has one, is the default, else the first layer of a group."""
    layers = list(prunable(pruned.model))
    if INPUT in pruned.masks:
        return _MaskOptions([INPUT, *layers], 0)
    for group in pruned.groups.values():
        for layer in group.layers:
            if layer in layers:
                return _MaskOptions(layers, layers.index(layer))
    return _MaskOptions(layers, 0)


def mask_picture(pruned: PrunedNetwork, name: str) -> Picture:
    """Make a picture of a mask.

    Parameters
    ----------
    pruned : PrunedNetwork
        The result of a recipe.
    name : str
        Name of a layer, or `INPUT`.

    Returns
    -------
    Picture
        The mask.
    """
    if name == INPUT:
        kept = pruned.masks[INPUT].numpy()
        pixels = datasets.load(pruned.recipe.dataset, "test").pixels[0].numpy()
        return Picture(image_mask(pixels, kept), alt_of_image_mask(kept))
    kept = _layer_mask_of(pruned, name)
    return Picture(layer_mask(kept, name), alt_of_layer_mask(kept, name))


def _draw_mask_of(pruned: PrunedNetwork, name: str) -> None:
    """Draw a mask; that of a layer which reads the image also as a share of each pixel."""
    picture = mask_picture(pruned, name)
    data = DATASETS[pruned.recipe.dataset]
    is_first = name == next(iter(prunable(pruned.model)))
    kept = _layer_mask_of(pruned, name) if is_first else np.empty(0)
    reads_image = kept.ndim == 2 and kept.shape[1] == data.channels * data.size**2
    columns = st.columns([3, 2]) if reads_image else [st.container()]
    with columns[0]:
        draw_clickable(picture, MASK_CHART)
    if reads_image:
        figure = pixel_sparsity(kept, data.channels, data.size)
        columns[1].plotly_chart(figure, key="pixels", alt=alt_of_pixel_sparsity(name), **CHART)
