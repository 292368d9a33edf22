"""Figures of a pruned network with the controls that belong to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from pages.controls.amount import scores_are_weights
from pages.explore.live_threshold import can_be_dragged, draw_live_threshold
from pages.explore.unit_inspector import selected_unit, take_click
from pages.state.session import SessionState, session
from pages.state.url import ALL_LAYERS, put_recipe_link
from pages.state.widgets import CHART, persistent, segments, select
from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.engine.pruned_network import PrunedNetwork
from pruning.figures.heatmap import alt_of_removal_heatmap, removal_heatmap
from pruning.figures.histogram import alt_of_histogram, histogram
from pruning.figures.image_mask import alt_of_image_mask, image_mask
from pruning.figures.layer_scores import ScoredLayer, alt_of_layer_scores, layer_scores
from pruning.figures.mask import alt_of_layer_mask, layer_mask
from pruning.figures.pixel_scores import alt_of_pixel_scores, pixel_scores
from pruning.figures.pixel_sparsity import alt_of_pixel_sparsity, pixel_sparsity
from pruning.figures.plain_figure import PlainFigure
from pruning.methods.criteria import CRITERIA
from pruning.methods.units import METHODS
from pruning.models import prunable

WEIGHTS, SCORES = "Weights", "Scores"
INPUT = "input"
"""Name of the mask of the input image."""
HISTOGRAM_CHART = "histogram of weights"
HEATMAP_CHART = "heatmap"
MASK_CHART = "mask of a layer"


KnownAccuracies = Sequence[tuple[float, float]]
"""Values of the rule that have been measured, with their accuracies."""


def draw_histogram(pruned: PrunedNetwork, known: KnownAccuracies) -> None:
    """Draw the distribution of the weights, or of the scores of the last step.

    Parameters
    ----------
    pruned : PrunedNetwork
        The result of a recipe.
    known : sequence of (float, float)
        Shown while the threshold is dragged.
    """
    method = pruned.recipe.last_step.method
    if session.histogram_of is None or session.histogram_method != method:
        session.histogram_of = WEIGHTS if METHODS[method].units_are_weights else SCORES
        session.histogram_method = method
    heading, control = st.columns([3, 2], vertical_alignment="center")
    heading.markdown("## Distribution")
    chosen = segments(
        "Histogram of",
        [WEIGHTS, SCORES],
        SessionState.histogram_of.key,
        control,
        label_visibility="collapsed",
    )
    if chosen == WEIGHTS:
        _draw_histogram_of_weights(pruned, known)
    elif not pruned.ranking:
        st.caption("Earlier steps have removed all units that this step could score.")
    elif any(pruned.groups[name].names for name in pruned.ranking):
        _draw_named_scores(pruned)
    else:
        _draw_histogram_of_scores(pruned, known)


def _draw_histogram_of_weights(pruned: PrunedNetwork, known: KnownAccuracies) -> None:
    layer, log = _draw_histogram_controls(list(prunable(pruned.model)))
    if can_be_dragged(pruned, layer=layer, of_weights=True):
        draw_live_threshold(pruned, known, layer=layer, of_weights=True, log=log)
        return
    has_weight_threshold = scores_are_weights(pruned.recipe.last_step)
    values, kept = pruned.weights(layer)
    figure = histogram(
        values,
        kept,
        log=log,
        threshold=_common_threshold(pruned, layer) if has_weight_threshold else None,
        mirrored=True,
        title="weight",
    )
    alt = alt_of_histogram(values, kept, layer or ALL_LAYERS, "weights")
    st.plotly_chart(figure, key=HISTOGRAM_CHART, alt=alt, **CHART)


def _draw_histogram_of_scores(pruned: PrunedNetwork, known: KnownAccuracies) -> None:
    layer, log = _draw_histogram_controls(list(pruned.ranking))
    if can_be_dragged(pruned, layer=layer, of_weights=False):
        draw_live_threshold(pruned, known, layer=layer, of_weights=False, log=log)
        return
    step = pruned.recipe.last_step
    unit = METHODS[step.method].unit_in(step.grouping)
    values, kept = pruned.scores(layer)
    figure = histogram(
        values,
        kept,
        log=log,
        threshold=_common_threshold(pruned, layer),
        mirrored=False,
        title=f"score of the {unit}",
    )
    alt = alt_of_histogram(values, kept, layer or ALL_LAYERS, f"{unit} scores")
    st.plotly_chart(figure, key=HISTOGRAM_CHART, alt=alt, **CHART)


def _draw_histogram_controls(names: list[str]) -> tuple[str | None, bool]:
    """Draw the choice of a layer, None for all of them, and of a log scale."""
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        chosen = select(
            "Layers of the histogram",
            [ALL_LAYERS, *names],
            SessionState.histogram.key,
            label_visibility="collapsed",
        )
    log = right.toggle("Log counts", **persistent(SessionState.log.key))
    return None if chosen == ALL_LAYERS else chosen, log


def _common_threshold(pruned: PrunedNetwork, group: str | None) -> float | None:
    """Return the threshold of a group, or of all groups if they have the same."""
    thresholds = set()
    for name, group_selection in pruned.selection.items():
        if group in (None, name):
            thresholds.add(group_selection.threshold)
    return thresholds.pop() if len(thresholds) == 1 else None


def _draw_named_scores(pruned: PrunedNetwork) -> None:
    layers = {}
    for group, ranked in pruned.ranking.items():
        removed = pruned.removed_units_of(group)
        for unit in sorted(ranked.order):
            name = pruned.groups[group].label(unit)
            layers[name] = ScoredLayer(float(ranked.scores[unit]), not removed[unit])
    step = pruned.recipe.last_step
    unit_name = METHODS[step.method].unit_in(step.grouping)
    figure = layer_scores(layers, title=f"score of the {unit_name}")
    alt = alt_of_layer_scores(layers)
    st.plotly_chart(figure, key=HISTOGRAM_CHART, alt=alt, **CHART)


def draw_heatmap(pruned: PrunedNetwork) -> None:
    """Draw the share removed of each unit; of pixels their scores.

    Parameters
    ----------
    pruned : PrunedNetwork
        The result of a recipe.
    """
    if pruned.ranking and not METHODS[pruned.recipe.last_step.method].has_weights:
        st.markdown("## Score of each pixel")
        _draw_pixel_scores(pruned)
        return
    st.markdown("## Share removed of each unit")
    shares = pruned.removed_share_by_unit
    figure = removal_heatmap(shares, selected_unit())
    _draw_clickable(figure, HEATMAP_CHART, alt_of_removal_heatmap(shares))


def _draw_pixel_scores(pruned: PrunedNetwork) -> None:
    [(group, ranked)] = pruned.ranking.items()
    scores = np.where(np.isfinite(ranked.scores), ranked.scores, np.nan)
    scores = scores.reshape(pruned.groups[group].shape)
    criterion = CRITERIA[pruned.recipe.last_step.criterion].label
    _draw_clickable(pixel_scores(scores), HEATMAP_CHART, alt_of_pixel_scores(scores, criterion))


def draw_mask(pruned: PrunedNetwork) -> None:
    """Draw the mask of a layer, or of the image.

    Parameters
    ----------
    pruned : PrunedNetwork
        The result of a recipe.
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
    if name == INPUT:
        _draw_image_mask(pruned)
    else:
        _draw_layer_mask(pruned, name)


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


def _draw_image_mask(pruned: PrunedNetwork) -> None:
    kept = pruned.masks[INPUT].numpy()
    pixels = datasets.load(pruned.recipe.dataset, "test").pixels[0].numpy()
    _draw_clickable(image_mask(pixels, kept), MASK_CHART, alt_of_image_mask(kept))


def _draw_layer_mask(pruned: PrunedNetwork, name: str) -> None:
    data = DATASETS[pruned.recipe.dataset]
    kept = pruned.masks.complete(pruned.model)[f"{name}.weight"].numpy()
    is_first = name == next(iter(prunable(pruned.model)))
    pixel_count = data.channels * data.size**2
    reads_image = is_first and kept.ndim == 2 and kept.shape[1] == pixel_count
    columns = st.columns([3, 2]) if reads_image else [st.container()]
    with columns[0]:
        _draw_clickable(layer_mask(kept, name), MASK_CHART, alt_of_layer_mask(kept, name))
    if reads_image:
        figure = pixel_sparsity(kept, data.channels, data.size)
        columns[1].plotly_chart(figure, key="pixels", alt=alt_of_pixel_sparsity(name), **CHART)


def _draw_clickable(figure: PlainFigure, key: str, alt: str) -> None:
    """Draw a figure; a click on a unit opens it in the unit inspector."""
    options: dict[str, Any] = {
        "on_select": partial(take_click, key),
        "selection_mode": "points",
    }
    st.plotly_chart(figure, key=key, alt=alt, **options, **CHART)
