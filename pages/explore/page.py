"""Explore: one network, one recipe, and everything that follows from it."""

from dataclasses import replace
from functools import partial

import streamlit as st

from pages.controls import scoring
from pages.controls.accuracy_card import draw_accuracy_card
from pages.controls.amount import draw_summary
from pages.controls.debounce import debounce
from pages.controls.scoring import cancel_scoring, draw_scoring, request_scores
from pages.controls.sidebar import Sidebar, after_active_step, score_and_draw_sidebar
from pages.explore import curve, files, pin
from pages.explore.curve import curve_task, draw_curve, known_accuracies, remember_visited
from pages.explore.distribution import draw_histogram
from pages.explore.heatmap import draw_heatmap
from pages.explore.mask import draw_mask
from pages.explore.metrics import (
    ACCURACY_TASK,
    RECOVERY_TASK,
    accuracy_task,
    is_estimate_ready,
    recovery_task,
)
from pages.explore.panels import await_and_draw_panels
from pages.explore.present import draw_present_button, draw_presentation
from pages.explore.share import draw_share_button
from pages.explore.tour import draw_tour, draw_tour_button
from pages.state.background_task import draw_task, partial_result, start, wait_for
from pages.state.messages import render_page, show_pending_message
from pages.state.session import session
from pages.state.visitor import set_active_work
from pruning.engine.evaluation import Evaluation
from pruning.engine.prune import prune
from pruning.engine.pruned_network import PrunedNetwork
from pruning.recipe.recipe import Recipe

TASKS = (ACCURACY_TASK, RECOVERY_TASK, curve.TASK, scoring.TASK, files.TASK)
PURPOSE = (
    "See a neural network being pruned: drag the threshold in the histogram, or move the slider, "
    "and watch accuracy, weights and masks follow."
)


def page() -> None:
    """Draw the page."""
    set_active_work(*TASKS, *(pin.TASKS if session.pinned else ()))
    session.curve_clicked = False  # this run shows it
    pin.unpin_if_missing()
    sidebar = score_and_draw_sidebar()
    unscored = _request_scores(sidebar)
    if not session.presenting:
        _draw_heading()
        draw_tour()
    show_pending_message()
    if sidebar is None:
        return
    if unscored is not None:
        draw_scoring(unscored)
        return
    cancel_scoring()
    debounce()
    pruned = prune(sidebar.recipe)
    unscored_a = pin.request_scores_of_a()
    if session.presenting:
        _await_and_present(pruned, is_a_scored=unscored_a is None)
        return
    pin.draw_pin(sidebar.recipe, unscored_a)
    with sidebar.summary_slot:
        draw_summary(after_active_step(pruned, sidebar))
    if sidebar.active_step < len(sidebar.recipe.previous_steps):
        st.caption(
            f"The sidebar shows step {sidebar.active_step + 1} of {len(sidebar.recipe.steps)}; "
            "numbers and pictures are of all steps, scores and thresholds of the last one."
        )
    await_and_draw_panels(pruned, is_a_scored=unscored_a is None)


def _request_scores(sidebar: Sidebar | None) -> Recipe | None:
    """Request the scores of the steps after the one that the sidebar shows."""
    if sidebar is None:
        return None
    return sidebar.unscored or request_scores(sidebar.recipe)


def _draw_heading() -> None:
    heading, actions = st.columns([1, 2], vertical_alignment="center")
    heading.title("Explore")
    with actions.container(horizontal=True, horizontal_alignment="right"):
        pin.draw_pin_button()
        draw_tour_button()
        draw_present_button()
        draw_share_button()
    st.caption(PURPOSE)


def _await_and_present(pruned: PrunedNetwork, *, is_a_scored: bool) -> None:
    """Draw the page for a projector."""
    recovery = recovery_task(pruned)
    task = recovery or accuracy_task(pruned)
    start(task)
    task_of_curve = curve_task(pruned.recipe)
    points = None if task_of_curve is None else wait_for(task_of_curve)
    pinned = pin.await_pinned() if is_a_scored else None
    result = wait_for(task, None, enough=is_estimate_ready)
    if result is not None:
        remember_visited(result)

    def draw_cards(evaluation: Evaluation) -> None:
        draw_accuracy_card(evaluation)
        if pinned is not None:
            pin.draw_accuracy_of_a(pinned, evaluation)

    def draw_accuracy() -> None:
        if result is not None:
            draw_cards(result)
        else:
            draw_task(replace(task, draw_partial=draw_cards))
        if pinned is not None:
            pin.draw_measurement_of_a(pinned)

    points_of_a = () if pinned is None else pinned.known_points
    current = result or partial_result(task)
    pictures = {
        "Distribution": partial(draw_histogram, pruned, known_accuracies(pruned.recipe, points)),
        "Curve": partial(draw_curve, pruned.recipe, current, task_of_curve, points, *points_of_a),
        "Heatmap": partial(draw_heatmap, pruned),
        "Mask": partial(draw_mask, pruned),
    }
    draw_presentation(pruned.recipe, draw_accuracy, pictures)


render_page(page)
