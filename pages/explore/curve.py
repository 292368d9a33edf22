"""Accuracy against sparsity: the settings that were visited, and the whole curve on request."""

from dataclasses import replace
from functools import partial

import streamlit as st

from pages.state.session import CHART, FIRST, draw_again, jobs, plain, visitor
from pruning.data.datasets import DATASETS
from pruning.engine.prune import Outcome
from pruning.experiments import strength as curves
from pruning.figures import curve
from pruning.methods.rules import RULES
from pruning.models import NETWORKS
from pruning.recipe.recipe import Recipe
from pruning.runtime.jobs import Job


def visit(recipe: Recipe) -> None:
    """Remember a setting that was looked at, for the curve: the last 200."""
    visited = st.session_state.setdefault("visited", [])
    if recipe.key not in visited:
        visited[:] = [*visited[-199:], recipe.key]


def _family(recipe: Recipe) -> Recipe:
    """What the points of one curve have in common: all but the rule's value."""
    rule = RULES[recipe.rule]
    return replace(
        recipe.key, value=rule.patterns[0] if rule.patterns else max(0.0, rule.min_value)
    )


def show_curve(recipe: Recipe, now: Outcome) -> None:
    st.markdown("##### Accuracy against sparsity")
    family, owner = _family(recipe), (visitor(), "curve")
    total = DATASETS[recipe.dataset].test_images
    base = replace(family, images=min(FIRST, total) if NETWORKS[recipe.network].slow else None)
    key = ("curve", base)
    line = jobs().cached_result(key) or ()
    visited = [
        known
        for r in st.session_state.get("visited", [])
        if _family(r) == family and (known := jobs().cached_result(r))
    ]
    if recipe.scope == "custom":
        st.caption("Layers with values of their own have no curve: it needs one value for all.")
    button = st.container(height=40, border=False)
    running = jobs().subscription(owner)
    if running and running.key != key:
        jobs().unsubscribe(owner)
        running = None
    if (
        not line
        and not running
        and recipe.scope != "custom"
        and button.button("Compute the curve", icon=":material/show_chart:", width="stretch")
    ):
        running = jobs().subscribe(owner, key, partial(curves.curve, base))
    if running:
        with button:
            _live(running, owner)
        line = [p for p in running.progress.points if p] if running.progress else ()
    figure = curve.curve(line=line, visited=visited, now=now)
    st.plotly_chart(figure, key="curve", alt=curve.alt([*line, *visited, now]), **CHART)


@st.fragment(run_every=0.5)
def _live(job: Job, owner: tuple) -> None:
    """How far the curve is, and a way to stop it."""
    if job.done:
        if job.failed:
            st.session_state["message"] = (
                f"The curve could not be computed: {plain(str(job.error))}"
            )
        draw_again()
    share = job.progress.share if job.progress else 0.0
    bar, stop = st.columns([3, 2], vertical_alignment="center")
    bar.progress(share, f"{share:.0%}")
    if stop.button("Cancel", width="stretch"):
        jobs().unsubscribe(owner)
        st.rerun()
