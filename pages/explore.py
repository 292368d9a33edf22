"""Explore: one network, one recipe, and everything that follows from it."""

import time
from functools import partial

import streamlit as st

from pages import controls, scoring
from pages.panels import FIRST, show_curve, show_heatmap, show_histogram, show_mask, visit
from pages.session import jobs, visitor
from pages.why import show_why
from pruning import experiment
from pruning.errors import Cancelled, PrunescopeError
from pruning.experiment import Outcome
from pruning.jobs import Job
from pruning.networks import NETWORKS
from pruning.units import METHODS


def page() -> None:
    recipe = controls.recipe()
    if message := st.session_state.pop("message", None):
        st.warning(message)
    if recipe is None:
        return
    if scoring.missing(recipe):
        return
    let_newer_pass()
    job = jobs().follow((visitor(), "point"), recipe.key, partial(experiment.run, recipe.key))
    numbers = st.container(key="numbers")
    with st.container(key="pictures"):  # drawn while the job measures
        left, right = st.columns(2)
        with left:
            show_histogram(recipe)
        with right:
            show_heatmap(recipe)
        left, right = st.columns(2)
        with left:
            show_mask(recipe)
    slow = NETWORKS[recipe.network].slow
    job.wait(lambda outcome: slow and outcome.accuracy.images >= FIRST)
    with numbers:
        if job.done:
            outcome = job.result
            visit(recipe)
            show_numbers(outcome)
        else:
            outcome = job.progress
            live_numbers(job)
    with right:
        show_curve(recipe, outcome)
    show_why(recipe)
    show_table(outcome)


def let_newer_pass() -> None:
    """In a quick run of moves only the last is measured and drawn; a browser that draws them all falls behind.

    A move that comes alone does not wait. Where a newer one came meanwhile, this run ends at its next element.
    """
    now = time.monotonic()
    alone = now - st.session_state.get("last move", 0.0) > 0.35
    st.session_state["last move"] = now
    if not alone:
        time.sleep(0.15)


def show_numbers(outcome: Outcome) -> None:
    accuracy, dense = outcome.accuracy, outcome.dense
    change = 100 * (accuracy.value - outcome.dense_accuracy)
    if not accuracy.complete:  # the first images may be easier than all: no change is told from them
        delta = {"delta": f"dense: {outcome.dense_accuracy:.2%}", "delta_color": "off", "delta_arrow": "off"}
    elif abs(change) < 0.005:
        delta = {"delta": "as dense", "delta_color": "off", "delta_arrow": "off"}
    else:
        delta = {"delta": f"{change:+.2f} points against dense"}
    columns = st.columns(4)
    columns[0].metric("Test accuracy", f"{'' if accuracy.complete else '≈ '}{accuracy.value:.2%}", **delta,
                      help=f"Correct / total on the test set. Dense: {outcome.dense_accuracy:.2%}.")
    quiet = {"delta_color": "off", "delta_arrow": "off"}
    last = outcome.units[-1]
    what = (f"{outcome.removed:,} weights removed" if last.method == "weight" or len(outcome.units) > 1
            else f"{last.removed:,} of {last.total:,} {METHODS[last.method].unit}s removed")
    columns[1].metric("Sparsity", f"{outcome.sparsity:.2%}", what, **quiet,
                      help=f"Removed / all {dense.prunable_weights:,} prunable weights, as achieved.")
    columns[2].metric("Parameters left", short(outcome.parameters), f"{outcome.compression:.2f}x compression", **quiet,
                      help=f"{outcome.parameters:,} of {dense.parameters:,}, biases and batch norm included.")
    columns[3].metric("MACs left", short(outcome.macs), f"of {short(dense.macs)} per image", **quiet,
                      help=f"{outcome.macs:,} of {dense.macs:,} multiply-accumulates for one image; FLOPs = 2 x MACs. "
                      "In theory: ordinary kernels do not skip single zero weights.")
    if accuracy.complete:
        st.caption(f"{accuracy.correct:,} of all {accuracy.images:,} test images are classified correctly.")
    else:
        low, high = accuracy.interval
        st.caption(f"Estimate from the first {accuracy.images:,} of {accuracy.total:,} test images, 95% interval "
                   f"{low:.1%} to {high:.1%}; measuring the rest ...")
    for step in outcome.units:
        if step.note:
            st.caption(step.note)
    for text in outcome.warnings:
        st.warning(text, icon=":material/warning:")


def short(count: int) -> str:
    return f"{count / 1e6:.2f} M" if count >= 1e6 else f"{count:,}"


@st.fragment(run_every=1.0)
def live_numbers(job: Job) -> None:
    """The estimate, as it is refined in the background; the page is drawn anew once it is final."""
    if job.done:
        st.rerun()
    show_numbers(job.progress)


def show_table(outcome: Outcome) -> None:
    layers = outcome.layers
    heading, button = st.columns([8, 3], vertical_alignment="center")
    heading.markdown("##### Layers")
    button.download_button("Download CSV", layers.to_csv(index=False), f"{outcome.recipe.network}-layers.csv", "text/csv",
                           icon=":material/download:", width="stretch", on_click="ignore")
    st.dataframe(layers, hide_index=True, column_config={
        "name": st.column_config.TextColumn("layer", width="medium"),
        "sparsity": st.column_config.ProgressColumn("sparsity", format="percent", min_value=0, max_value=1),
        "threshold": st.column_config.NumberColumn("threshold (score)", format="%.5f"),
        "weights": st.column_config.NumberColumn(format="localized"),
        "kept": st.column_config.NumberColumn(format="localized"),
        "macs": st.column_config.NumberColumn("MACs", format="localized"),
        "macs_left": st.column_config.NumberColumn("MACs left", format="localized"),
    })


try:
    page()
except Cancelled:  # a newer position of the slider took over
    pass
except PrunescopeError as error:
    st.error(str(error))
