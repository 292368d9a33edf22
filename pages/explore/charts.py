"""Pictures with the controls that belong to them, each with its words for those who cannot see it."""

from functools import partial

import numpy as np
import streamlit as st

from pages.explore.unit_inspector import clicked, take_click
from pages.state.session import CHART, choice, keep, segments
from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.engine import prune as experiment
from pruning.figures import heatmap, histogram, mask
from pruning.methods.criteria import CRITERIA
from pruning.methods.units import METHODS
from pruning.models import prunable
from pruning.recipe.recipe import Recipe


def show_histogram(recipe: Recipe) -> None:
    """The weights of the network, or the scores of the step's units."""
    usual = ["Weights", "Scores"] if recipe.method == "weight" else ["Scores", "Weights"]
    if "shown" not in st.session_state or st.session_state.get("shown for") != recipe.method:
        st.session_state.update({"shown": usual[0], "shown for": recipe.method})
    scores = (
        segments("Histogram of", ["Weights", "Scores"], "shown", label_visibility="collapsed")
        == "Scores"
    )
    unit = METHODS[recipe.method].unit
    if scores and not experiment.ranking(recipe):
        st.caption("Earlier steps have left no unit that this step could score.")
        return
    if scores and recipe.method == "layer":
        [(group, ranked)] = experiment.ranking(recipe).items()
        kept, label = (
            ~experiment.select(recipe)[group].removed(ranked).numpy(),
            experiment.groups_of(recipe)[group].label,
        )
        named = {label(i): (float(ranked.scores[i]), bool(kept[i])) for i in sorted(ranked.order)}
        st.plotly_chart(
            histogram.bars(named, title=f"score of the {unit}"),
            key="histogram of weights",
            alt=histogram.alt_of_bars(named),
            **CHART,
        )
        return
    names = (
        list(experiment.ranking(recipe))
        if scores
        else list(prunable(experiment.pruned(recipe).model))
    )
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        shown = choice(
            "Layers of the histogram",
            ["all layers", *names],
            "histogram",
            label_visibility="collapsed",
        )
    log = right.toggle("Log counts", **keep("log"))
    only = None if shown == "all layers" else shown
    values, kept = experiment.scores(recipe, only) if scores else experiment.weights(recipe, only)
    thresholds = {
        cut.threshold for name, cut in experiment.select(recipe).items() if only in (None, name)
    }
    known = len(thresholds) == 1 and (
        scores or recipe.method == "weight" and recipe.criterion == "magnitude"
    )
    st.plotly_chart(
        histogram.histogram(
            values,
            kept,
            log=log,
            threshold=thresholds.pop() if known else None,
            mirrored=not scores,
            title=f"score of the {unit}" if scores else "weight",
        ),
        key="histogram of weights",
        alt=histogram.alt(values, kept, shown, f"{unit} scores" if scores else "weights"),
        **CHART,
    )


def show_heatmap(recipe: Recipe) -> None:
    click = {
        "on_select": partial(take_click, "heatmap"),
        "selection_mode": "points",
        "key": "heatmap",
    }
    if recipe.method == "feature" and experiment.ranking(recipe):
        st.markdown("##### Score of each pixel")
        [(group, ranked)] = experiment.ranking(recipe).items()
        scores = np.where(np.isfinite(ranked.scores), ranked.scores, np.nan).reshape(
            experiment.groups_of(recipe)[group].shape
        )
        st.plotly_chart(
            heatmap.pixels(scores),
            alt=f"Scores of the input pixels by {CRITERIA[recipe.criterion].label}, from "
            f"{np.nanmin(scores):.3g} to {np.nanmax(scores):.3g}.",
            **click,
            **CHART,
        )
        return
    st.markdown("##### Share removed, unit by unit")
    shares = experiment.shares(recipe)
    st.plotly_chart(heatmap.heatmap(shares, clicked()), alt=heatmap.alt(shares), **click, **CHART)


def show_mask(recipe: Recipe) -> None:
    state, data = experiment.pruned(recipe), DATASETS[recipe.dataset]
    names = list(prunable(state.model))
    has_input = "input" in state.masks
    st.markdown(
        "##### Mask of a layer" if not has_input else "##### Mask of a layer or of the image"
    )
    if has_input and st.session_state.get("mask") not in ["input", *names]:
        st.session_state["mask"] = "input"
    parts = [
        layer
        for group in experiment.groups_of(recipe).values()
        for layer in group.layers
        if layer in names
    ]
    name = choice(
        "Layer of the mask",
        ["input", *names] if has_input else names,
        "mask",
        label_visibility="collapsed",
        otherwise=names.index(parts[0]) if parts else 0,
    )
    if name == "input":
        kept = state.masks["input"].numpy()
        pixels = datasets.load(recipe.dataset, "test").pixels[0].numpy()
        st.plotly_chart(
            mask.image(pixels, kept),
            key="mask of a layer",
            on_select=partial(take_click, "mask of a layer"),
            selection_mode="points",
            alt=f"A test image under the mask of its pixels: {1 - kept.mean():.1%} removed (orange).",
            **CHART,
        )
        return
    kept = state.masks.complete(state.model)[f"{name}.weight"].numpy()
    reads_image = (
        kept.ndim == 2 and name == names[0] and kept.shape[1] == data.channels * data.size**2
    )
    columns = st.columns([3, 2]) if reads_image else [st.container()]
    columns[0].plotly_chart(
        mask.mask(kept, name),
        key="mask of a layer",
        alt=mask.alt(kept, name),
        on_select=partial(take_click, "mask of a layer"),
        selection_mode="points",
        **CHART,
    )
    if reads_image:
        columns[1].plotly_chart(
            mask.pixels(kept, data.channels, data.size),
            key="pixels",
            alt=f"Share of removed weights of {name} at each input pixel",
            **CHART,
        )
