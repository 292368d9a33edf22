"""Accuracy against sparsity: the settings that were visited, and the curve of the recipe."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from pages.explore.metrics import FIRST_ESTIMATE_IMAGES
from pages.state.background_task import Task, TaskProgress, draw_task
from pages.state.messages import escape_markdown, sentence
from pages.state.session import session
from pages.state.url import show_recipe
from pages.state.widgets import CHART
from pruning.data.datasets import DATASETS
from pruning.engine.evaluate import EvaluationProgress, evaluate
from pruning.engine.evaluation import Evaluation
from pruning.engine.prune import rank_units
from pruning.experiments.curves import recipes_along_curve
from pruning.experiments.strength import without_value
from pruning.figures.accuracy_curve import accuracy_curve, alt_of_accuracy_curve
from pruning.models import NETWORKS
from pruning.recipe.recipe import Recipe
from pruning.runtime.errors import PrunescopeError

TASK = "curve"
CHART_KEY = "curve"
MAX_VISITED = 200
BAR_HEIGHT = 40
PATIENCE_S = 20.0
"""Age of a curve up to which other work goes first."""

CurvePoints = tuple[Evaluation, ...]


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


def draw_curve(
    recipe: Recipe,
    current: Evaluation | None,
    task: Task | None,
    points: CurvePoints | None,
    curve_of_a: Sequence[Evaluation] = (),
    current_of_a: Evaluation | None = None,
) -> None:
    """Draw the curve of a recipe.

    Parameters
    ----------
    recipe : Recipe
        The recipe.
    current : Evaluation or None
        Its accuracy, as far as it is measured.
    task : Task or None
        The `curve_task` of the recipe.
    points : tuple of Evaluation or None
        The result of the task, if it has one.
    curve_of_a : sequence of Evaluation
        What is known of the curve of state A, if one is pinned.
    current_of_a : Evaluation or None
        State A.
    """
    if session.curve_clicked:  # the fragment alone was run
        session.curve_clicked = False
        st.rerun()
    st.markdown("## Accuracy against sparsity")
    visited = visited_with(without_value(recipe))
    others = [evaluation for evaluation in (current, current_of_a) if evaluation is not None]

    def draw_chart(curve: CurvePoints) -> None:
        st.plotly_chart(
            accuracy_curve(
                curve=curve,
                visited=visited,
                current=current,
                curve_of_a=curve_of_a,
                current_of_a=current_of_a,
            ),
            key=CHART_KEY,
            on_select=_take_point,
            selection_mode="points",
            alt=alt_of_accuracy_curve([*curve, *visited, *others]),
            **CHART,
        )

    if task is not None and points is None:
        draw_task(replace(task, draw_partial=draw_chart, first_partial=()))
        return
    with st.container(height=BAR_HEIGHT, border=False):
        st.caption(_curve_text(points))
    draw_chart(points or ())


def _take_point() -> None:
    """Show the setting of a point that was clicked, in a callback."""
    points = st.session_state[CHART_KEY]["selection"]["points"]
    recipe = session.recipe
    if not points or recipe is None:
        return
    _, *values = points[0]["customdata"]
    if not values or values[0] is None:
        return
    try:
        show_recipe(recipe.with_last_step(value=values[0]))
        session.curve_clicked = True
    except (ValueError, PrunescopeError) as error:
        session.message = escape_markdown(sentence(error))


def _curve_text(points: CurvePoints | None) -> str:
    """Describe how a curve was measured; one line, in the place of the progress bar."""
    if not points:
        return "A curve needs one value for all layers: choose another scope."
    accuracy = points[0].accuracy
    images = f"all {accuracy.images:,}" if accuracy.complete else f"the first {accuracy.images:,}"
    text = f"{len(points)} settings, each measured on {images} test images"
    if not accuracy.complete:
        return f"{text}: they may be easier or harder than all."
    return f"{text}. Click one to go to it."


def visited_with(family: Recipe) -> list[Evaluation]:
    """Return the visited settings that differ in the value of the last step only.

    Parameters
    ----------
    family : Recipe
        The recipe without the value of its last step.

    Returns
    -------
    list of Evaluation
        In the order of the visits.
    """
    return [point.evaluation for point in session.visited if point.family == family]


def known_accuracies(recipe: Recipe, points: CurvePoints | None) -> list[tuple[float, float]]:
    """Return what has been measured of the curve of a recipe.

    Parameters
    ----------
    recipe : Recipe
        A recipe with one value for all layers.
    points : tuple of Evaluation or None
        The curve, as far as it is computed.

    Returns
    -------
    list of (float, float)
        Value of the rule and accuracy, a value once; none if the values are patterns.
    """
    if isinstance(recipe.last_step.value, str):
        return []
    known = {}
    for evaluation in [*(points or ()), *visited_with(without_value(recipe))]:
        known[float(evaluation.recipe.last_step.value)] = evaluation.accuracy.value
    return sorted(known.items())


def curve_task(recipe: Recipe) -> Task | None:
    """Return the task that computes the curve of a recipe.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.

    Returns
    -------
    Task or None
        Its result and its partial results are `CurvePoints`; None if every layer has a value of its
        own.
    """
    if recipe.last_step.scope == "custom":
        return None
    family = without_value(recipe)
    is_slow = NETWORKS[family.network].slow
    total = DATASETS[family.dataset].test_images
    images = min(FIRST_ESTIMATE_IMAGES, total) if is_slow else None
    base = replace(family, max_test_images=images)

    def work(report: Callable[[TaskProgress], None]) -> CurvePoints:
        def report_points(progress: EvaluationProgress) -> None:
            points = tuple(point for point in progress.evaluations if point is not None)
            report(TaskProgress(progress.share, points))

        rank_units(base, lambda share: report(TaskProgress(0.0)))
        return evaluate(recipes_along_curve(base), report=report_points)

    return Task(
        name=TASK,
        key=(TASK, base),
        work=work,
        label="Compute the curve",
        interval=0.5,
        subject="The curve",
        starts_itself=not family.recovery,  # which would take long for each point
        patience=lambda progress: PATIENCE_S,
    )
