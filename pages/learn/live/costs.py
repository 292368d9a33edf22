"""Live parts about cost: bytes and multiplications of a pruned network, and its measured speed."""

import streamlit as st

from pages.learn.live.base import (
    NETWORK,
    await_result,
    dataset_of_lessons,
    draw_figure,
    key_of,
    live_part,
)
from pruning.cost.file_size import encoded_sizes, safetensors_size
from pruning.cost.latency import Latency, latencies
from pruning.data.datasets import DATASETS
from pruning.engine.prune import prune
from pruning.figures.named_bars import alt_of_named_bars, named_bars
from pruning.methods.units import METHODS
from pruning.recipe.recipe import Recipe
from pruning.runtime.progress import ShareReport

BATCH = 64
SECONDS = 1.0
KINDS = {"single weights": "weight", "whole units": "filter"}
ENCODINGS = {"csr": "CSR", "bitmap": "bitmap", "gzip": "gzip"}


def _draw_recipe(part: str, value: int) -> Recipe:
    left, right = st.columns(2)
    with left:
        kind = st.segmented_control(
            "Remove", list(KINDS), default="single weights", required=True, key=key_of(part, "kind")
        )
    with right:
        percent = st.slider("Removed in each layer (%)", 0, 95, value, 5, key=key_of(part, "share"))
    return Recipe.one_step(
        NETWORK, dataset_of_lessons(), method=KINDS[str(kind)], scope="layer", value=percent / 100
    )


@live_part("ledger")
def await_and_draw_ledger() -> None:
    """Draw the bytes of a pruned network's file in several encodings."""
    part = "ledger"
    recipe = _draw_recipe(part, 80)
    sizes = await_result(part, [recipe], lambda report: _sizes(recipe))
    if sizes is None:
        return
    series = {"": [size / 1000 for size in sizes.values()]}
    draw_figure(
        named_bars(list(sizes), series, title="file (kB)"),
        part,
        alt_of_named_bars(list(sizes), series, "size of the file in kB"),
    )
    pruned = prune(recipe)
    st.caption(
        f"Real files of LeNet-5. {pruned.sparsity:.1%} of the weights are zero; multiplications "
        f"by nonzero weights: {pruned.masked.macs:,} of {pruned.dense.macs:,} for an image."
    )


def _sizes(recipe: Recipe) -> dict[str, int]:
    pruned = prune(recipe)
    masked = pruned.network.copy().state_dict()
    sizes = {
        "dense": safetensors_size(pruned.trained_model.state_dict()),
        "with zeros": safetensors_size(masked),
    }
    for name, size in encoded_sizes(masked).items():
        sizes[f"with zeros, {ENCODINGS[name]}"] = size
    sizes["removed"] = safetensors_size(pruned.compact_model.state_dict())
    return sizes


@live_part("speed")
def await_and_draw_speed() -> None:
    """Draw how long a batch takes, measured on a click."""
    part = "speed"
    recipe = _draw_recipe(part, 50)
    result = await_result(part, [recipe], lambda report: _latencies(recipe, report), begins=False)
    if result is None:
        st.caption("A click measures it on the server: about a second.")
        return
    names = list(result)
    series = {"": [1000 * latency.median for latency in result.values()]}
    draw_figure(
        named_bars(names, series, title=f"ms for {BATCH} images (median)"),
        part,
        alt_of_named_bars(names, series, f"milliseconds for {BATCH} images"),
    )
    pruned = prune(recipe)
    if METHODS[recipe.last_step.method].units_are_weights:
        st.caption(
            "Single weights were removed: nearly no unit is without weights, so that the network "
            "computes as much as before. The saving on paper is not one in time."
        )
        return
    theoretical = pruned.dense.macs / max(1, pruned.effective.macs)
    measured = result["dense"].median / result["removed"].median
    st.caption(
        f"On paper {theoretical:.2f}x fewer multiplications; measured with units removed: "
        f"{measured:.2f}x. Small networks spend much of their time on other things."
    )


def _latencies(recipe: Recipe, report: ShareReport) -> dict[str, Latency]:
    pruned = prune(recipe)
    data = DATASETS[recipe.dataset]
    networks = {
        "dense": pruned.trained_model,
        "masked": pruned.network.copy(),
        "removed": pruned.compact_model,
    }
    return latencies(
        networks,
        data.channels,
        data.size,
        BATCH,
        seconds=SECONDS,
        report=lambda: report(0.5),
    )
