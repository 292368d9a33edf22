"""Agreement: do criteria remove the same units, and do they put all units in the same order?"""

from functools import partial

import streamlit as st

from pages.controls import sidebar as controls
from pages.state.session import CHART, jobs, keep, only, plain, visitor
from pruning.data.datasets import DATASETS
from pruning.experiments.agreement import agreement, with_criterion
from pruning.figures import matrix
from pruning.methods.criteria import CRITERIA
from pruning.methods.units import METHODS
from pruning.models import NETWORKS
from pruning.recipe.recipe import Recipe, criteria_for
from pruning.runtime.errors import PrunescopeError
from pruning.runtime.jobs import Job

OWNER = "agreement"


def page() -> None:
    only("agreement")
    st.title("Do criteria agree?")
    recipe = controls.recipe(amount=False)
    if recipe is None:
        return
    unit = METHODS[recipe.method].unit
    names = criteria_for(recipe.network, recipe.method)
    key = f"criteria of {recipe.method}"
    if not set(st.session_state.get(key, [])) <= set(names):
        del st.session_state[key]
    st.session_state.setdefault(key, [name for name in names if name != "loss_change"])
    chosen = st.multiselect(
        "Criteria", names, format_func=lambda name: CRITERIA[name].label, **keep(key)
    )
    st.session_state.setdefault("agreement sparsity", 50.0)
    share = st.slider(
        "Sparsity at which they are compared",
        1.0,
        99.0,
        step=1.0,
        format="%.0f%%",
        **keep("agreement sparsity"),
    )
    if len(chosen) < 2:
        st.info("Choose two criteria or more.")
        return
    same = with_criterion(recipe, chosen[0], share / 100).key
    st.caption(
        f"{NETWORKS[recipe.network].label} on {DATASETS[recipe.dataset].label}: the {unit}s that each criterion would "
        f"remove at {share:.0f}%, in the scope *{same.scope}*"
        + (", after the steps before this one." if recipe.earlier else ".")
    )
    show(recipe, tuple(chosen), share / 100)


def show(recipe: Recipe, chosen: tuple[str, ...], share: float) -> None:
    key = (OWNER, *(with_criterion(recipe, name, share).key for name in chosen))
    if st.session_state.get("no agreement") == key:
        st.button(
            "Compare them",
            icon=":material/play_arrow:",
            on_click=st.session_state.pop,
            args=["no agreement", None],
        )
        return
    job = jobs().subscribe((visitor(), OWNER), key, partial(agreement, recipe, chosen, share))
    if not job.wait(timeout=1.5):
        progress(job, key)
        return
    if job.failed:
        st.error(plain(str(job.error)))
        return
    found, labels = job.result, {name: CRITERIA[name].label for name in chosen}
    left, right = st.columns(2)
    with left:
        st.markdown("##### Overlap of what is removed")
        table = found.jaccard.rename(index=labels, columns=labels)
        st.plotly_chart(
            matrix.matrix(table, title="Jaccard overlap", low=0),
            key="jaccard",
            **CHART,
            alt=matrix.alt(table, "Jaccard overlap of the removed units"),
        )
        st.caption(
            "Jaccard: removed by both / removed by at least one. 1 = the same units. By chance alone it would be "
            f"about {share / (2 - share):.2f}."
        )
    with right:
        st.markdown("##### Rank correlation of the scores")
        table = found.correlation.rename(index=labels, columns=labels)
        st.plotly_chart(
            matrix.matrix(table, title="Spearman correlation", low=-1),
            key="correlation",
            **CHART,
            alt=matrix.alt(table, "rank correlation of the scores"),
        )
        st.caption(
            "Spearman's correlation: 1 = the same order, 0 = unrelated, -1 = the reverse order."
        )


@st.fragment(run_every=0.5)
def progress(job: Job, key: tuple) -> None:
    if job.done:
        st.rerun()
    bar, stop = st.columns([5, 1], vertical_alignment="center")
    bar.progress(job.progress or 0.0, f"Scoring: {job.progress or 0.0:.0%}")
    if stop.button("Cancel", width="stretch"):
        st.session_state["no agreement"] = key
        jobs().unsubscribe((visitor(), OWNER))
        st.rerun()


try:
    page()
except PrunescopeError as error:
    st.error(str(error))
