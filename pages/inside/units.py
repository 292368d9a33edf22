"""Filters as images, and how active the units of a layer are."""

from functools import partial

import numpy as np
import pandas as pd
import streamlit as st
from torch import nn

from pages.inside.networks import (
    Activity,
    Compared,
    activity_images,
    activity_task,
    await_networks,
    network_of,
)
from pages.state.background_task import draw_task, start, wait_for
from pages.state.session import SessionState
from pages.state.tables import Download, draw_downloads
from pages.state.widgets import CHART, select
from pruning.data.datasets import DATASETS
from pruning.experiments.feature_maps import LayerActivity
from pruning.figures.activity import activity_figure, alt_of_activity
from pruning.figures.html_page import html_page
from pruning.figures.layer_filters import (
    MAX_FILTERS,
    MAX_INPUTS,
    alt_of_layer_filters,
    layer_filters,
)
from pruning.figures.plain_figure import PlainFigure
from pruning.models import prunable


def await_and_draw_units(compared: Compared) -> None:
    """Draw filters and activities of a layer.

    Parameters
    ----------
    compared : Compared
        The networks.
    """
    if not await_networks(compared):
        return
    task = activity_task(compared)
    start(task)
    layer = choose_layer(compared)
    with st.container(key="pictures"):  # one below the other in a narrow window
        left, right = st.columns(2)
    figures = {}
    with left:
        st.markdown("## Filters")
        figures |= _draw_filters(compared, layer)
    activity = wait_for(task, 1.0)
    with right:
        st.markdown("## Activity")
        if activity is None:
            draw_task(task)
        else:
            figures |= _draw_activity(compared, activity, layer)
    if activity is not None:
        _draw_dead_units(compared, activity, figures, layer)


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


def _draw_filters(compared: Compared, layer: str) -> dict[str, PlainFigure]:
    """Draw the filters of a layer, and return the figure by its heading."""
    weights = _kernels(compared, layer)
    if weights is None:
        st.caption(
            f"{layer} is a linear layer behind other layers: its weights have no place in an "
            "image. Choose a convolution, or see its mask on Explore."
        )
        return {}
    network = network_of(compared.pair[1])
    mask = network.masks.complete(network.model).get(f"{layer}.weight")
    if mask is None:
        st.caption(f"{layer} has been removed.")
        return {}
    if mask.numel() != weights.size:
        st.caption(f"{layer} has other inputs now.")
        return {}
    kept = mask.numpy().reshape(weights.shape)
    remaining = network.model.get_parameter(f"{layer}.weight").detach().numpy()
    shown = np.where(kept, remaining.reshape(weights.shape), weights)
    figure = layer_filters(shown, kept, layer)
    st.plotly_chart(figure, key="filters", alt=alt_of_layer_filters(kept, layer), **CHART)
    st.caption(_filters_text(weights, compared))
    return {f"Filters of {layer}": figure}


def _filters_text(weights: np.ndarray, compared: Compared) -> str:
    filters, inputs = weights.shape[:2]
    text = f"Weights of the {compared.names[1]} network; removed ones are white."
    if inputs > 1:
        text += " A row is a filter, a column an input channel."
    if filters > MAX_FILTERS or inputs > MAX_INPUTS:
        text += (
            f" The first {min(filters, MAX_FILTERS)} of {filters} filters and "
            f"{min(inputs, MAX_INPUTS)} of {inputs} inputs."
        )
    return f"{text} Faint with an orange frame: nothing is left of these weights of the dense one."


def _kernels(compared: Compared, layer: str) -> np.ndarray | None:
    """Return weights that can be drawn as images, (outputs, inputs, height, width)."""
    data = DATASETS[compared.recipes[0].dataset]
    module = network_of(compared.recipes[0]).model.get_submodule(layer)
    weight = module.weight.detach().numpy()
    if isinstance(module, nn.Conv2d):
        return weight
    is_first = weight.shape[1] == data.channels * data.size**2
    return weight.reshape(len(weight), data.channels, data.size, data.size) if is_first else None


def _draw_activity(
    compared: Compared, activity: tuple[Activity, ...], layer: str
) -> dict[str, PlainFigure]:
    """Draw how active the units of a layer are, and return the figure by its heading."""
    before, after = activity[0][layer], activity[1].get(layer)
    if after is None or len(after.mean) != len(before.mean):
        st.caption(f"{layer} has been removed, or has another shape now.")
        return {}
    figure = activity_figure(before.active_share, after.active_share, compared.names, layer)
    st.plotly_chart(
        figure,
        key="activity",
        alt=alt_of_activity(before.active_share, after.active_share, layer),
        **CHART,
    )
    images = activity_images(compared.recipes[0])
    st.caption(
        f"Measured on {images:,} training images, after the {before.read_after}. Mean output "
        f"{before.mean.mean():.3g} before, {after.mean.mean():.3g} after."
    )
    return {f"Activity of {layer}": figure}


def _draw_dead_units(
    compared: Compared,
    activity: tuple[Activity, ...],
    figures: dict[str, PlainFigure],
    layer: str,
) -> None:
    """Name the units of every layer whose output does not depend on the image."""
    st.markdown("## Dead units")
    images = activity_images(compared.recipes[0])
    start_name, name = compared.names
    st.caption(
        f"Dead: the output is zero for all {images:,} images. Constant: it is the same number for "
        "all of them, as that of a unit that has lost its weights but not its bias. Outputs are "
        "read after the activation function; where an addition comes first, before it."
    )
    rows = []
    for each, before in activity[0].items():
        after = activity[1].get(each)
        row = {"layer": each, start_name: _state_text(before)}
        row[name] = "removed" if after is None else _state_text(after)
        rows.append(row)
    st.table(rows, hide_index=True)
    table = pd.concat(
        [_unit_table(each, part) for each, part in zip(compared.names, activity, strict=True)]
    )
    with st.expander("Every unit of the layer"):
        st.dataframe(table[table["layer"] == layer], hide_index=True)
    draw_downloads(
        "units",
        [
            Download("Units as CSV", "csv", "text/csv", table.to_csv(index=False)),
            Download(
                "Figures as HTML",
                "html",
                "text/html",
                partial(html_page, f"Filters and units of {layer}", figures),
            ),
        ],
    )


def _state_text(activity: LayerActivity) -> str:
    """Name the dead and the constant units of a layer."""
    parts = []
    for state, units in (("dead", activity.dead), ("constant", activity.constant)):
        if len(units):
            names = ", ".join(str(unit) for unit in units)
            parts.append(f"{len(units)} of {len(activity.mean)} {state}: {names}")
    return "; ".join(parts) or "none"


def _unit_table(name: str, activity: Activity) -> pd.DataFrame:
    tables = []
    for layer, each in activity.items():
        states = np.select([each.is_dead, each.is_constant], ["dead", "constant"], "")
        tables.append(
            pd.DataFrame(
                {
                    "network": name,
                    "layer": layer,
                    "unit": np.arange(len(each.mean)),
                    "mean output": each.mean,
                    "lowest": each.lowest,
                    "highest": each.highest,
                    "active for (share of images)": each.active_share,
                    "state": states,
                }
            )
        )
    return pd.concat(tables)
