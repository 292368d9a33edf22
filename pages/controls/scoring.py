"""Scores that take a while: work in the background, requested apart from the drawing."""

from collections.abc import Callable

import streamlit as st

from pages.state.background_task import Task, TaskProgress, draw_task, wait_for
from pages.state.visitor import jobs, subscriber
from pruning.engine.prune import has_cached_scores, rank_units, unit_groups
from pruning.methods.criteria import CRITERIA
from pruning.methods.units import METHODS
from pruning.recipe.recipe import Recipe

TASK = "scores"
PATIENCE_S = 0.7
"""Time to wait for scores before a progress bar is shown."""


def request_scores(recipe: Recipe, name: str = TASK) -> Recipe | None:
    """Begin to score the first step without scores, and wait a moment for the result.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.
    name : str
        Name of the task.

    Returns
    -------
    Recipe or None
        The recipe up to the step that is being scored; None if the scores of all steps are
        available, or take no time.
    """
    for prefix in recipe.prefixes():
        if not CRITERIA[prefix.last_step.criterion].needs_data or has_cached_scores(prefix):
            continue
        task = _scoring_task(prefix, name)
        jobs().forget(task.key)  # of scores that the cache has dropped
        if wait_for(task, PATIENCE_S) is None:
            return prefix
    return None


def cancel_scoring() -> None:
    """Cancel the scoring of a choice that has changed since."""
    jobs().unsubscribe(subscriber(TASK))


def draw_scoring(recipe: Recipe, name: str = TASK) -> None:
    """Draw the progress of scoring.

    Parameters
    ----------
    recipe : Recipe
        The result of `request_scores`.
    name : str
        Name of the task.
    """
    task, step = _scoring_task(recipe, name), recipe.last_step
    criterion = CRITERIA[step.criterion]
    unit = METHODS[step.method].unit_in(step.grouping)
    units = sum(group.units for group in unit_groups(recipe).values())
    with st.container(border=True, key=f"scoring {name}"):
        if task.is_stopped:
            st.markdown(f"The {units:,} {unit}s have no scores by **{criterion.label}** yet.")
        else:
            st.markdown(
                f"Scoring {units:,} {unit}s by **{criterion.label}** on {recipe.calibration:,} "
                "calibration images. This is done once; afterwards every move of the slider is a "
                "search."
            )
        draw_task(task)


def _scoring_task(recipe: Recipe, name: str) -> Task:
    def score(report: Callable[[TaskProgress], None]) -> bool:
        rank_units(recipe, lambda share: report(TaskProgress(share)))
        return True

    return Task(
        name=name,
        key=(TASK, recipe.scoring_key),
        work=score,
        label="Score them",
        starts_itself=True,
        interval=0.5,
        subject="The scores",
    )
