"""Scores that take a while to compute: work off the page, with progress and an end when it is no longer wanted."""

import streamlit as st

from pages.state.session import draw_again, jobs, plain, visitor
from pruning.engine import prune as experiment
from pruning.methods.criteria import CRITERIA
from pruning.methods.units import METHODS
from pruning.recipe.recipe import Recipe
from pruning.runtime.errors import Cancelled
from pruning.runtime.jobs import Job

PATIENCE = 0.7  # seconds before there is a progress bar


def ready(recipe: Recipe) -> bool:
    """Whether the scores of all steps are there, or can be had at once; if not, they are being computed now."""
    if recipe.before and not ready(recipe.before):
        return False
    if not CRITERIA[recipe.criterion].needs_data or experiment.scored(recipe):
        return True
    job = _job(recipe)
    return job is not None and job.wait(timeout=PATIENCE) and not _failed(job)


def missing(recipe: Recipe) -> bool:
    """Draw how far the scores are, if they are not there; then there is nothing else to show."""
    for i in range(len(recipe.steps)):
        upto = recipe.with_steps(recipe.steps[: i + 1])
        if not ready(upto):
            _show(upto)
            return True
    jobs().unsubscribe((visitor(), "scores"))  # those of a choice that was changed meanwhile
    if st.session_state.pop("slider waits", False):  # they came after the sidebar was drawn
        draw_again()
    return False


def _job(recipe: Recipe) -> Job | None:
    key = ("scores", recipe.scoring)
    if st.session_state.get("unscored") == key:
        return None
    job = st.session_state.get("scoring")
    if (
        job is None or job.key != key or not job.failed or isinstance(job.error, Cancelled)
    ):  # what failed while nobody looked is told, not begun again
        jobs().forget(key)  # finished once, but the scores are no longer remembered
        job = jobs().subscribe(
            (visitor(), "scores"), key, lambda report: bool(experiment.ranking(recipe, report))
        )
        st.session_state["scoring"] = job
    return job


def _failed(job: Job) -> bool:
    """Whether a finished job failed; that is said once, and it is not begun again by itself."""
    if job.failed:
        st.session_state["unscored"] = job.key
        st.session_state.pop("scoring", None)
        st.session_state["message"] = f"The units could not be scored: {plain(str(job.error))}"
    return job.failed


def _show(recipe: Recipe) -> None:
    criterion, unit = CRITERIA[recipe.criterion], METHODS[recipe.method].unit
    total = sum(group.units for group in experiment.groups_of(recipe).values())
    place = st.container(border=True, key="scoring")
    if st.session_state.get("unscored") == ("scores", recipe.scoring):
        place.markdown(f"The {total:,} {unit}s have no scores by **{criterion.label}** yet.")
        place.button(
            "Score them",
            icon=":material/play_arrow:",
            on_click=st.session_state.pop,
            args=["unscored", None],
        )
        return
    with place:
        st.markdown(
            f"Scoring {total:,} {unit}s by **{criterion.label}** on {recipe.calibration:,} calibration images. "
            "This is done once; afterwards every move of the slider is a search."
        )
        _progress(jobs().subscription((visitor(), "scores")))


@st.fragment(run_every=0.5)
def _progress(job: Job | None) -> None:
    if job is None:
        st.rerun()
    if job.done:
        _failed(job)
        draw_again()
    share = job.progress or 0.0
    bar, stop = st.columns([5, 1], vertical_alignment="center")
    bar.progress(share, f"{share:.0%}")
    if stop.button("Cancel", key="cancel scoring", width="stretch"):
        st.session_state["unscored"] = job.key
        jobs().unsubscribe((visitor(), "scores"))
        st.rerun()
