"""Explore: one network, one recipe, and everything that follows from it."""

from dataclasses import replace
from functools import partial

import numpy as np
import streamlit as st

from pages import controls
from pruning import curves, experiment
from pruning.datasets import DATASETS
from pruning.errors import Cancelled, PrunescopeError
from pruning.experiment import Outcome
from pruning.figures import curve, heatmap, histogram, mask
from pruning.jobs import Job
from pruning.masks import Masks
from pruning.networks import NETWORKS, prunable
from pruning.recipe import Recipe

FIRST = 1_000  # images, for the estimate that a slow network shows first
CHART = {"config": {"displaylogo": False}}


def page() -> None:
    recipe = controls.recipe()
    if message := st.session_state.pop("message", None):
        st.warning(message)
    if recipe is None:
        return
    job = controls.jobs().follow((controls.visitor(), "point"), recipe, partial(experiment.run, recipe))
    numbers = st.container(key="numbers")
    frame = st.container(key="pictures")
    with frame:
        pictures(recipe, experiment.masks(recipe))  # drawn while the job measures
        left, right = st.columns(2)
    with left:
        show_mask(recipe, experiment.masks(recipe))
    slow = NETWORKS[recipe.network].slow
    job.wait(lambda outcome: slow and outcome.accuracy.images >= FIRST)
    if job.done:
        outcome = job.result
        with numbers:
            show_numbers(outcome)
        remember(recipe)
    else:
        outcome = job.progress
        with numbers:
            live_numbers(job)
    with right:
        show_curve(recipe, outcome)
    show_table(outcome)


def show_numbers(outcome: Outcome) -> None:
    accuracy, dense = outcome.accuracy, outcome.dense
    low, high = accuracy.interval
    change = 100 * (accuracy.value - outcome.dense_accuracy)
    about = "" if accuracy.complete else "≈ "
    columns = st.columns(4)
    still = abs(change) < 0.005
    columns[0].metric("Test accuracy", f"{about}{accuracy.value:.2%}",
                      f"{change:+.2f} points against dense{'' if accuracy.complete else ' (estimate)'}",
                      delta_color="off" if still else "normal", delta_arrow="off" if still else "auto",
                      help=f"Correct / total on the test set. Dense: {outcome.dense_accuracy:.2%}.")
    columns[1].metric("Sparsity", f"{outcome.sparsity:.2%}", f"{outcome.removed:,} weights removed", delta_color="off",
                      delta_arrow="off", help=f"Removed / all {dense.prunable_weights:,} prunable weights, as achieved.")
    columns[2].metric("Parameters left", short(outcome.parameters), f"{outcome.compression:.2f}x compression",
                      delta_color="off", delta_arrow="off",
                      help=f"{outcome.parameters:,} of {dense.parameters:,}, biases and batch norm included.")
    columns[3].metric("MACs left", short(outcome.macs), f"of {short(dense.macs)} per image", delta_color="off",
                      delta_arrow="off", help=f"{outcome.macs:,} of {dense.macs:,} multiply-accumulates for one image; "
                      "FLOPs = 2 x MACs. In theory: ordinary kernels do not skip single zero weights.")
    if accuracy.complete:
        st.caption(f"{accuracy.correct:,} of all {accuracy.images:,} test images are classified correctly.")
    else:
        st.caption(f"Estimate from the first {accuracy.images:,} of {accuracy.total:,} test images, 95% interval "
                   f"{low:.1%} to {high:.1%}; measuring the rest ...")
    for text in outcome.warnings:
        st.warning(text, icon=":material/warning:")


def short(count: int) -> str:
    return f"{count / 1e6:.2f} M" if count >= 1e6 else f"{count:,}"


@st.fragment(run_every=0.5)
def live_numbers(job: Job) -> None:
    """The estimate, as it is refined in the background; the page is drawn anew once it is final."""
    if job.done:
        st.rerun()
    show_numbers(job.progress)


def pictures(recipe: Recipe, masks: Masks) -> None:
    model = experiment.model(recipe)
    kept = masks.whole(model)
    left, right = st.columns(2)
    names = list(prunable(model))
    with left:
        st.markdown("##### Weights")
        choice, switch = st.columns([3, 2], vertical_alignment="center")
        shown = choice.selectbox("Layers of the histogram", ["all layers", *names], key=f"histogram of {recipe.network}",
                                 label_visibility="collapsed", **controls.KEEP)
        log = switch.toggle("Log counts", key="log counts", **controls.KEEP)
        chosen = names if shown == "all layers" else [shown]
        state = model.state_dict()
        weights = np.concatenate([state[f"{name}.weight"].numpy().ravel() for name in chosen])
        alive = np.concatenate([kept[f"{name}.weight"].numpy().ravel() for name in chosen])
        choice_made = experiment.choose(recipe)
        thresholds = {choice_made[name].threshold for name in chosen if name in choice_made}
        st.plotly_chart(histogram.histogram(weights, alive, log=log,
                                            threshold=thresholds.pop() if len(thresholds) == 1 else None),
                        key="histogram", alt=histogram.alt(weights, alive, shown), **CHART)
    with right:
        st.markdown("##### Share removed, unit by unit")
        shares = masks.shares(model)
        st.plotly_chart(heatmap.heatmap(shares), key="heatmap", alt=heatmap.alt(shares), **CHART)


def show_mask(recipe: Recipe, masks: Masks) -> None:
    model = experiment.model(recipe)
    layers = prunable(model)
    st.markdown("##### Mask of a layer")
    name = st.selectbox("Layer of the mask", list(layers), key=f"mask of {recipe.network}",
                            label_visibility="collapsed", **controls.KEEP)
    kept = masks.whole(model)[f"{name}.weight"].numpy()
    data = DATASETS[recipe.dataset]
    reads_image = kept.ndim == 2 and name == next(iter(layers))
    columns = st.columns([3, 2]) if reads_image else [st.container()]
    columns[0].plotly_chart(mask.mask(kept), key="mask", alt=mask.alt(kept, name), **CHART)
    if reads_image:
        columns[1].plotly_chart(mask.pixels(kept, data.channels, data.size), key="pixels",
                                alt=f"Share of removed weights of {name} at each input pixel", **CHART)


def remember(recipe: Recipe) -> None:
    """The settings this visitor has looked at, for the curve: the last 200."""
    visited = st.session_state.setdefault("visited", [])
    if recipe not in visited:
        visited[:] = [*visited[-199:], recipe]


def family(recipe: Recipe) -> Recipe:
    """What the points of one curve have in common: all but the rule's value."""
    return replace(recipe, value=0.0)


def show_curve(recipe: Recipe, now: Outcome) -> None:
    jobs, owner = controls.jobs(), (controls.visitor(), "curve")
    base = replace(family(recipe), images=FIRST if NETWORKS[recipe.network].slow else None)
    key = ("curve", base)
    line = jobs.known(key) or ()
    visited = [known for r in st.session_state.get("visited", []) if family(r) == family(recipe)
               and (known := jobs.known(r))]
    st.markdown("##### Accuracy against sparsity")
    button = st.container(height=40, border=False)
    running = jobs.following(owner)
    if running and running.key != key:
        jobs.leave(owner)
        running = None
    if not line and not running and button.button("Compute the curve", icon=":material/show_chart:", width="stretch"):
        running = jobs.follow(owner, key, partial(curves.curve, base, known=jobs.known))
    if running:
        with button:
            live_curve(running, owner)
        line = running.progress.points if running.progress else ()
    figure = curve.curve(line=line, visited=visited, now=now)
    st.plotly_chart(figure, key="curve", alt=curve.alt([*line, *visited, now]), **CHART)


@st.fragment(run_every=0.5)
def live_curve(job: Job, owner: tuple) -> None:
    if job.done:
        st.rerun()
    share = job.progress.share if job.progress else 0.0
    bar, stop = st.columns([3, 2], vertical_alignment="center")
    bar.progress(share, f"{share:.0%}")
    if stop.button("Cancel", width="stretch"):
        controls.jobs().leave(owner)
        st.rerun()


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
