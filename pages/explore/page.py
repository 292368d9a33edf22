"""Explore: one network, one recipe, and everything that follows from it."""

import time
from functools import partial

import streamlit as st

from pages.controls import scoring
from pages.controls import sidebar as controls
from pages.explore.charts import show_heatmap, show_histogram, show_mask
from pages.explore.curve import show_curve, visit
from pages.explore.metrics import live_numbers, show_numbers, show_table
from pages.explore.unit_inspector import show_why
from pages.state.session import FIRST, jobs, only, say, shown, visitor
from pruning.engine import prune as experiment
from pruning.models import NETWORKS


def page() -> None:
    only("point", "curve", "scores")
    recipe = controls.recipe()
    say()
    if recipe is None:
        return
    if scoring.missing(recipe):
        return
    let_newer_pass()
    job = jobs().subscribe((visitor(), "point"), recipe.key, partial(experiment.run, recipe.key))
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


shown(page)
