"""Pictures with the controls that belong to them, each with its words for those who cannot see it."""

from dataclasses import replace
from functools import partial

import streamlit as st

from pages import controls
from pages.session import KEEP, jobs, plain, visitor
from pruning import curves, experiment
from pruning.datasets import DATASETS
from pruning.experiment import Outcome
from pruning.figures import curve, heatmap, histogram, mask
from pruning.jobs import Job
from pruning.networks import NETWORKS, layer_names
from pruning.recipe import Recipe

FIRST = 1_000  # images, for the estimate that a slow network shows first
CHART = {"config": {"displaylogo": False}}


def show_histogram(recipe: Recipe) -> None:
    st.markdown("##### Weights")
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        shown = controls.choice("Layers of the histogram", ["all layers", *layer_names(recipe.network)], "histogram",
                                label_visibility="collapsed")
    log = right.toggle("Log counts", key="log", **KEEP)
    weights, kept = experiment.weights(recipe, None if shown == "all layers" else shown)
    thresholds = {cut.threshold for name, cut in experiment.choose(recipe).items() if shown in ("all layers", name)}
    st.plotly_chart(
        histogram.histogram(weights, kept, log=log, threshold=thresholds.pop() if len(thresholds) == 1 else None),
        key="histogram of weights", alt=histogram.alt(weights, kept, shown), **CHART)


def show_heatmap(recipe: Recipe) -> None:
    st.markdown("##### Share removed, unit by unit")
    shares = experiment.masks(recipe).shares(experiment.model(recipe))
    st.plotly_chart(heatmap.heatmap(shares), key="heatmap", alt=heatmap.alt(shares), **CHART)


def show_mask(recipe: Recipe) -> None:
    st.markdown("##### Mask of a layer")
    names = layer_names(recipe.network)
    name = controls.choice("Layer of the mask", list(names), "mask", label_visibility="collapsed")
    kept = experiment.masks(recipe).whole(experiment.model(recipe))[f"{name}.weight"].numpy()
    data = DATASETS[recipe.dataset]
    reads_image = kept.ndim == 2 and name == names[0]
    columns = st.columns([3, 2]) if reads_image else [st.container()]
    columns[0].plotly_chart(mask.mask(kept), key="mask of a layer", alt=mask.alt(kept, name), **CHART)
    if reads_image:
        columns[1].plotly_chart(mask.pixels(kept, data.channels, data.size), key="pixels",
                                alt=f"Share of removed weights of {name} at each input pixel", **CHART)


def visit(recipe: Recipe) -> None:
    """Remember a setting that was looked at, for the curve: the last 200."""
    visited = st.session_state.setdefault("visited", [])
    if recipe.key not in visited:
        visited[:] = [*visited[-199:], recipe.key]


def _family(recipe: Recipe) -> Recipe:
    """What the points of one curve have in common: all but the rule's value."""
    return replace(recipe.key, value=0.0)


def show_curve(recipe: Recipe, now: Outcome) -> None:
    st.markdown("##### Accuracy against sparsity")
    family, owner = _family(recipe), (visitor(), "curve")
    total = DATASETS[recipe.dataset].test_images
    base = replace(family, images=min(FIRST, total) if NETWORKS[recipe.network].slow else None)
    key = ("curve", base)
    line = jobs().known(key) or ()
    visited = [known for r in st.session_state.get("visited", []) if _family(r) == family and (known := jobs().known(r))]
    button = st.container(height=40, border=False)
    running = jobs().following(owner)
    if running and running.key != key:
        jobs().leave(owner)
        running = None
    if not line and not running and button.button("Compute the curve", icon=":material/show_chart:", width="stretch"):
        running = jobs().follow(owner, key, partial(curves.curve, base, known=jobs().known, keep=jobs().remember))
    if running:
        with button:
            _live(running, owner)
        line = running.progress.points if running.progress else ()
    figure = curve.curve(line=line, visited=visited, now=now)
    st.plotly_chart(figure, key="curve", alt=curve.alt([*line, *visited, now]), **CHART)


@st.fragment(run_every=0.5)
def _live(job: Job, owner: tuple) -> None:
    """How far the curve is, and a way to stop it."""
    if job.done:
        if job.failed:
            st.session_state["message"] = f"The curve could not be computed: {plain(str(job.error))}"
        st.rerun()
    share = job.progress.share if job.progress else 0.0
    bar, stop = st.columns([3, 2], vertical_alignment="center")
    bar.progress(share, f"{share:.0%}")
    if stop.button("Cancel", width="stretch"):
        jobs().leave(owner)
        st.rerun()
