"""Accuracy against sparsity: the settings that were visited, and the whole curve on request."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from pages.explore.metrics import FIRST_ESTIMATE_IMAGES
from pages.state.background_task import Task, TaskProgress, draw_task, partial_result, wait_for
from pages.state.session import session
from pages.state.widgets import CHART
from pruning.data.datasets import DATASETS
from pruning.engine.evaluate import EvaluationProgress, evaluate
from pruning.engine.evaluation import Evaluation
from pruning.engine.prune import score_steps
from pruning.engine.pruned_network import PrunedNetwork
from pruning.experiments.curves import recipes_along_curve
from pruning.experiments.strength import without_value
from pruning.figures.accuracy_curve import accuracy_curve, alt_of_accuracy_curve
from pruning.models import NETWORKS
from pruning.recipe.recipe import Recipe

MAX_VISITED = 200
BAR_HEIGHT = 40

Curve = tuple[Evaluation, ...]


@dataclass(frozen=True)
class VisitedPoint:
    """A setting that was evaluated on Explore.

    Parameters
    ----------
    family : Recipe
        The recipe without the value of its last step; points of one family form a curve.
    evaluation : Evaluation
        Its accuracy.
    """

    family: Recipe
    evaluation: Evaluation


def remember_visited(evaluation: Evaluation) -> None:
    """Remember a setting for the curve; the last 200 are kept.

    Parameters
    ----------
    evaluation : Evaluation
        Of all test images.
    """
    for point in session.visited:
        if point.evaluation.recipe == evaluation.recipe:
            return
    point = VisitedPoint(without_value(evaluation.recipe), evaluation)
    session.visited = [*session.visited, point][-MAX_VISITED:]


def draw_curve(pruned: PrunedNetwork, current: Evaluation | None) -> None:
    """Draw the curve of a recipe.

    Parameters
    ----------
    pruned : PrunedNetwork
        The result of the recipe.
    current : Evaluation or None
        Its accuracy, as far as it is measured.
    """
    st.markdown("##### Accuracy against sparsity")
    family = without_value(pruned.recipe)
    visited = [point.evaluation for point in session.visited if point.family == family]
    if pruned.recipe.last_step.scope == "custom":
        st.caption("A curve needs one value for all layers: choose another scope.")
        curve: Sequence[Evaluation] = ()
    else:
        curve = _draw_task(family)
    currents = [] if current is None else [current]
    st.plotly_chart(
        accuracy_curve(curve=curve, visited=visited, current=current),
        key="curve",
        alt=alt_of_accuracy_curve([*curve, *visited, *currents]),
        **CHART,
    )


def _draw_task(family: Recipe) -> Sequence[Evaluation]:
    """Draw the button that computes the curve, or its progress; return the points so far."""
    task = _curve_task(family)
    slot = st.container(height=BAR_HEIGHT, border=False)
    result = wait_for(task)
    if result is not None:
        return result
    with slot:
        draw_task(task)
    return partial_result(task) or ()


def _curve_task(family: Recipe) -> Task:
    is_slow = NETWORKS[family.network].slow
    total = DATASETS[family.dataset].test_images
    images = min(FIRST_ESTIMATE_IMAGES, total) if is_slow else None
    base = replace(family, max_test_images=images)

    def work(report: Callable[[TaskProgress], None]) -> Curve:
        def report_points(progress: EvaluationProgress) -> None:
            points = tuple(point for point in progress.evaluations if point is not None)
            report(TaskProgress(progress.share, points))

        score_steps(base, lambda share: report(TaskProgress(0.0)))
        return evaluate(recipes_along_curve(base), report=report_points)

    return Task(
        name="curve",
        key=("curve", base),
        work=work,
        label="Compute the curve",
        interval=0.5,
        subject="The curve",
    )
