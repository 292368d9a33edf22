"""Filters as images, and how active the units of a layer are."""

import numpy as np
import streamlit as st
from torch import nn

from pages.inside.networks import (
    Activity,
    Compared,
    activity_images,
    activity_task,
    network_of,
)
from pages.state.background_task import draw_task, wait_for
from pages.state.session import SessionState
from pages.state.widgets import CHART, select
from pruning.data.datasets import DATASETS
from pruning.experiments.feature_maps import LayerActivity
from pruning.figures.activity import activity_figure, alt_of_activity
from pruning.figures.layer_filters import (
    MAX_FILTERS,
    MAX_INPUTS,
    alt_of_layer_filters,
    layer_filters,
)
from pruning.models import prunable

MAX_NAMED = 24


def await_and_draw_units(compared: Compared) -> None:
    """Draw filters and activities of a layer.

    Parameters
    ----------
    compared : Compared
        The networks.
    """
    task = activity_task(compared)
    layer = choose_layer(compared)
    left, right = st.columns(2)
    with left:
        st.markdown("## Filters")
        _draw_filters(compared, layer)
    activity = wait_for(task, 1.0)
    with right:
        st.markdown("## Activity")
        if activity is None:
            draw_task(task)
        else:
            _draw_activity(compared, activity, layer)
    if activity is not None:
        _draw_dead_units(compared, activity)


def choose_layer(compared: Compared) -> str:
    """Draw the choice of a layer.

    Parameters
    ----------
    compared : Compared
        The networks.

    Returns
    -------
    str
        A prunable layer of the dense network.
    """
    layers = list(prunable(network_of(compared.recipes[0]).model))
    with st.columns([1, 2])[0]:
        return select("Layer", layers, SessionState.inside_layer.key)


def _draw_filters(compared: Compared, layer: str) -> None:
    weights = _kernels(compared, layer)
    if weights is None:
        st.caption(
            f"{layer} is a linear layer behind other layers: its weights have no place in an "
            "image. Choose a convolution, or see its mask on Explore."
        )
        return
    network = network_of(compared.pair[1])
    mask = network.masks.complete(network.model).get(f"{layer}.weight")
    if mask is None or mask.numel() != weights.size:
        st.caption(f"{layer} has been removed, or has other inputs now.")
        return
    kept = mask.numpy().reshape(weights.shape)
    st.plotly_chart(
        layer_filters(weights, kept, layer),
        key="filters",
        alt=alt_of_layer_filters(kept, layer),
        **CHART,
    )
    st.caption(_filters_text(weights, compared))


def _filters_text(weights: np.ndarray, compared: Compared) -> str:
    filters, inputs = weights.shape[:2]
    text = f"Weights of the dense network under the masks of the {compared.names[1]} one."
    if inputs > 1:
        text += " A row is a filter, a column an input channel."
    if filters > MAX_FILTERS or inputs > MAX_INPUTS:
        text += (
            f" The first {min(filters, MAX_FILTERS)} of {filters} filters and "
            f"{min(inputs, MAX_INPUTS)} of {inputs} inputs."
        )
    return f"{text} Faint with an orange frame: nothing is left."


def _kernels(compared: Compared, layer: str) -> np.ndarray | None:
    """Return weights that can be drawn as images, (outputs, inputs, height, width)."""
    data = DATASETS[compared.recipes[0].dataset]
    module = network_of(compared.recipes[0]).model.get_submodule(layer)
    weight = module.weight.detach().numpy()
    if isinstance(module, nn.Conv2d):
        return weight
    is_first = weight.shape[1] == data.channels * data.size**2
    return weight.reshape(len(weight), data.channels, data.size, data.size) if is_first else None


def _draw_activity(compared: Compared, activity: tuple[Activity, ...], layer: str) -> None:
    before, after = (each.get(layer) for each in activity)
    assert before is not None
    if after is None or len(after.mean) != len(before.mean):
        st.caption(f"{layer} has been removed.")
        return
    st.plotly_chart(
        activity_figure(before.active_share, after.active_share, compared.names, layer),
        key="activity",
        alt=alt_of_activity(before.active_share, after.active_share, layer),
        **CHART,
    )
    images = activity_images(compared.recipes[0])
    st.caption(
        f"Measured on {images:,} training images, after the activation function. Mean output "
        f"{before.mean.mean():.3g} before, {after.mean.mean():.3g} after."
    )


def _draw_dead_units(compared: Compared, activity: tuple[Activity, ...]) -> None:
    """Name the units of every layer whose output is zero for all images."""
    st.markdown("## Dead units")
    images = activity_images(compared.recipes[0])
    start_name, name = compared.names
    st.caption(
        f"Units whose output is zero for all {images:,} images: removed, or without an input that "
        "activates them."
    )
    rows = []
    for layer, before in activity[0].items():
        after = activity[1].get(layer)
        if not before.has_activation:
            continue
        rows.append(
            {
                "layer": layer,
                f"dead, {start_name}": _names(before),
                f"dead, {name}": "layer removed" if after is None else _names(after),
            }
        )
    st.dataframe(rows, hide_index=True)


def _names(activity: LayerActivity) -> str:
    dead = activity.dead
    if not len(dead):
        return "none"
    names = ", ".join(str(unit) for unit in dead[:MAX_NAMED])
    more = ", ..." if len(dead) > MAX_NAMED else ""
    return f"{len(dead)} of {len(activity.mean)}: {names}{more}"
