"""Numbers and pictures of a pruned network, beside those of the state that is pinned."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import streamlit as st

from pages.explore.curve import curve_task, draw_curve, known_accuracies, remember_visited
from pages.explore.distribution import KnownAccuracies, draw_histogram
from pages.explore.export import draw_export
from pages.explore.files import await_and_draw_files
from pages.explore.heatmap import draw_heatmap
from pages.explore.mask import draw_mask
from pages.explore.metrics import (
    accuracy_task,
    draw_metrics,
    draw_table,
    is_estimate_ready,
    recovery_task,
)
from pages.explore.pin import (
    Pinned,
    await_pinned,
    draw_measurement_of_a,
    numbers_of_a,
)
from pages.explore.unit_inspector import draw_unit_inspector
from pages.state.background_task import Task, draw_task, partial_result, start, wait_for
from pruning.engine.evaluation import Evaluation
from pruning.engine.pruned_network import PrunedNetwork

RETRAIN = "pages/retrain/page.py"
RECOVERY_PATIENCE_S = 0.05  # for a recovery that is known


def await_and_draw_panels(pruned: PrunedNetwork, *, is_a_scored: bool = True) -> None:
    """Measure a pruned network, and draw all that is known of it.

    Parameters
    ----------
    pruned : PrunedNetwork
        The result of a recipe.
    is_a_scored : bool
        Whether the state that is pinned can be compared.
    """
    accuracy = accuracy_task(pruned)
    start(accuracy)
    curve = curve_task(pruned.recipe)
    points = None if curve is None else wait_for(curve)
    pinned = await_pinned() if is_a_scored else None
    known = [] if curve is None else known_accuracies(pruned.recipe, points)
    numbers = st.container(key="numbers")
    curve_slot = _draw_pictures(pruned, known, pinned)  # while the accuracy is measured
    masked = wait_for(accuracy, None, enough=is_estimate_ready)

    points_of_a = () if pinned is None else pinned.known_points

    def draw_current(evaluation: Evaluation | None) -> None:
        with curve_slot:
            draw_curve(pruned.recipe, evaluation, curve, points, *points_of_a)

    if masked is None and _can_be_updated_in_place(pruned, accuracy, points, pinned):
        with numbers:
            _draw_updated_in_place(pruned, accuracy, pinned, draw_current)
            _draw_link_to_retrain()
    else:
        with numbers:
            evaluation = _await_and_draw_numbers(pruned, accuracy, masked, pinned)
            _draw_link_to_retrain()
        draw_current(evaluation)
    draw_unit_inspector(pruned)
    draw_table(pruned)
    draw_export(pruned.recipe)
    await_and_draw_files(pruned.recipe)


def _draw_pictures(pruned: PrunedNetwork, known: KnownAccuracies, pinned: Pinned | None) -> Any:
    """Draw the pictures that need no accuracy, and return the container of the curve."""
    network_a = None if pinned is None else pinned.pruned
    with st.container(key="pictures"):
        top_left, top_right = st.columns(2)
        with top_left:
            draw_histogram(pruned, known, network_a)
        with top_right:
            draw_heatmap(pruned, network_a)
        bottom_left, curve_slot = st.columns(2)
        with bottom_left:
            draw_mask(pruned, network_a)
    return curve_slot


def _can_be_updated_in_place(
    pruned: PrunedNetwork, accuracy: Task, points: Any, pinned: Pinned | None
) -> bool:
    """Return whether only the accuracy is still to come: then the page need not run again."""
    is_pinned_known = pinned is None or pinned.is_known
    has_estimate = partial_result(accuracy) is not None
    has_others = points is not None and is_pinned_known
    return has_estimate and has_others and not pruned.recipe.recovery


def _draw_updated_in_place(
    pruned: PrunedNetwork,
    accuracy: Task,
    pinned: Pinned | None,
    draw_current: Callable[[Evaluation | None], None],
) -> None:
    def draw_estimate(estimate: Evaluation) -> None:
        _draw_numbers(pruned, estimate, None, pinned)
        draw_current(estimate)

    def draw_result(result: Evaluation) -> None:
        remember_visited(result)
        draw_estimate(result)

    draw_task(replace(accuracy, draw_partial=draw_estimate, draw_result=draw_result))


def _await_and_draw_numbers(
    pruned: PrunedNetwork, accuracy: Task, masked: Evaluation | None, pinned: Pinned | None
) -> Evaluation | None:
    """Draw the numbers with what there is of the accuracy, and return it."""
    recovery = recovery_task(pruned)
    recovered = None if recovery is None else wait_for(recovery, RECOVERY_PATIENCE_S)

    def draw_estimate(estimate: Evaluation) -> None:
        _draw_numbers(pruned, estimate, None, pinned)

    if masked is None:
        draw_task(replace(accuracy, draw_partial=draw_estimate))
    else:
        _draw_numbers(pruned, masked, recovered, pinned)
    if recovery is not None and recovered is None:
        draw_task(recovery)
    if pinned is not None:
        draw_measurement_of_a(pinned)
    result, task = (masked, accuracy) if recovery is None else (recovered, recovery)
    if result is not None:
        remember_visited(result)
    return result or partial_result(task)


def _draw_numbers(
    pruned: PrunedNetwork,
    masked: Evaluation,
    recovered: Evaluation | None,
    pinned: Pinned | None,
) -> None:
    evaluation = recovered if pruned.recipe.recovery else masked
    texts_of_a = () if pinned is None else numbers_of_a(pinned, evaluation)
    draw_metrics(pruned, masked, recovered, texts_of_a)


def _draw_link_to_retrain() -> None:
    st.page_link(RETRAIN, label="Retrain this", icon=":material/model_training:")
