"""Compare: recipes side by side, on the same network and data, at the same budget."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from html import escape
from typing import Any

import streamlit as st

from pages.compare import recipes as columns
from pages.compare.charts import CURVES_TASK, DENSE_TASK, ColumnResult, await_and_draw_charts
from pages.compare.column import Prune, draw_column_controls
from pages.compare.cost_table import TASK as COST_TASK
from pages.controls.accuracy_card import draw_accuracy_card
from pages.controls.checkpoint import await_card
from pages.state.background_task import (
    Task,
    TaskProgress,
    draw_task,
    partial_result,
    start,
    wait_for,
)
from pages.state.messages import SMALL_FILES, render_page, show_pending_message
from pages.state.session import SessionState, session
from pages.state.visitor import set_active_work
from pages.state.widgets import NEUTRAL_DELTA, persistent, segments
from pruning.engine.evaluation import Evaluation
from pruning.engine.prune import prune
from pruning.experiments.budgets import BUDGETS, Budget
from pruning.experiments.comparison import MAX_COLUMNS, ColumnProgress, measure_column
from pruning.figures.parts import COLUMN_COLOURS
from pruning.methods.rules import RULES
from pruning.models import NETWORKS
from pruning.recipe.labels import recipe_label
from pruning.recipe.recipe import Recipe
from pruning.recipe.step import Step

COLUMN_TASKS = tuple(f"column {index}" for index in range(MAX_COLUMNS))
# Comments, not docstrings: Streamlit shows a text that stands alone in the script of a page.
COLUMNS_PER_ROW = 3  # narrower columns cut off their numbers
FIRST_ESTIMATE_IMAGES = 250  # test images after which a column is shown that takes longer
REST_PATIENCE_S = 30.0  # age of an accuracy up to which others go before its other images
SLOW_WAIT_S, FAST_WAIT_S = 6.0, 20.0
UPDATE_INTERVAL_S = 0.7
MATCHING_SHARE = 0.3  # approximate share of a column's work that scoring and matching take
BUDGET_LABELS = {"parameters": "parameters", "macs": "MACs", "accuracy": "accuracy", "own": "own"}
SLIDER_LABELS = {
    "parameters": "Effective parameters left",
    "macs": "Effective MACs left",
    "accuracy": "Accuracy kept (validation)",
}
DEFAULT_BUDGET = "macs"
DEFAULT_PERCENTAGES = {"parameters": 50.0, "macs": 50.0, "accuracy": 95.0}


def page() -> None:
    """Draw the page."""
    st.title("Compare")
    columns.read_link()
    set_active_work(*COLUMN_TASKS[: len(session.comparison)], COST_TASK, CURVES_TASK, DENSE_TASK)
    with st.sidebar:
        columns.draw_sidebar()
    budget = _choose_budget()
    show_pending_message()
    prune_once = cache(prune)  # every panel of this run draws from the same networks
    recipes, containers = _draw_controls(session.comparison, budget, prune_once)
    columns.put_columns(recipes, budget)
    if not await_card(recipes[0]):
        return
    tasks = []
    for index, recipe in enumerate(recipes):
        tasks.append(_column_task(index, recipe, budget, prune_once))
    for task in tasks:  # all at once: each ends the column's work for the budget before
        start(task)
    results = [_wait_for_column(task, recipes[0], budget) for task in tasks]
    known = []
    for recipe, container, task, progress in zip(recipes, containers, tasks, results, strict=True):
        result = _column_result(recipe, progress or partial_result(task), prune_once)
        with container:
            if progress is None:
                draw_task(task)
            elif result is not None:
                _draw_column(result)
        if result is not None:
            known.append(result)
    if len(known) == len(recipes):
        await_and_draw_charts(known, budget)


def _choose_budget() -> Budget:
    """Draw the slider that drives all columns."""
    kind = segments(
        "Matched budget",
        list(BUDGETS),
        SessionState.budget.key,
        default=list(BUDGETS).index(DEFAULT_BUDGET),
        format_func=BUDGET_LABELS.get,
        help="  \n".join(f"**{BUDGET_LABELS[name]}**: {text}." for name, text in BUDGETS.items()),
    )
    if kind == "own":
        st.caption("Each column has its own value.")
        return Budget("own")
    key = SessionState.share_widgets.of(kind)
    st.session_state.setdefault(key, DEFAULT_PERCENTAGES[kind])
    percentage = st.slider(
        SLIDER_LABELS[kind], 0.0, 100.0, step=0.5, format="%.1f%%", **persistent(key)
    )
    return Budget(kind, round(percentage / 100, 6))


def _draw_controls(
    recipes: Sequence[Recipe], budget: Budget, prune_once: Prune
) -> tuple[list[Recipe], list[Any]]:
    """Draw headings and controls of the columns.

    Parameters
    ----------
    recipes : sequence of Recipe
        The recipe of each column.
    budget : Budget
        What they have in common.
    prune_once : callable
        As of `draw_column_controls`.

    Returns
    -------
    recipes : list of Recipe
        As the widgets show them.
    containers : list
        Where the numbers of each column are drawn.
    """
    with st.container(key="columns"):
        places = _column_places(len(recipes))
    edited, containers = [], []
    for index, (place, recipe) in enumerate(zip(places, recipes, strict=True)):
        with place:
            _draw_heading(index, recipe)
            edited_recipe = draw_column_controls(
                index,
                recipe,
                prune_once,
                show_slider=budget.kind == "own",
                is_only=len(recipes) == 1,
            )
            edited.append(edited_recipe)
            containers.append(st.container())
    return edited, containers


def _column_places(count: int) -> list[Any]:
    places: list[Any] = []
    while len(places) < count:
        places += st.columns(min(COLUMNS_PER_ROW, count))
    return places[:count]


def _draw_heading(index: int, recipe: Recipe) -> None:
    style = (
        f"border-top: 4px solid {COLUMN_COLOURS[index]}; padding-top: 0.4rem; min-height: 3.2rem"
    )
    st.html(f"<div style='{style}'><b>{index + 1}. {escape(recipe_label(recipe))}</b></div>")


def _column_task(index: int, recipe: Recipe, budget: Budget, prune_once: Prune) -> Task:
    def work(report: Callable[[TaskProgress], None]) -> ColumnProgress:
        def report_column(progress: ColumnProgress) -> None:
            partial = progress if progress.evaluation is not None else None
            report(TaskProgress(_share(progress), partial))

        return measure_column(recipe, budget, report_column)

    def draw_partial(progress: ColumnProgress) -> None:
        result = _column_result(recipe, progress, prune_once)
        if result is not None:
            _draw_column(result)

    return Task(
        name=COLUMN_TASKS[index],
        key=("column", recipe, budget),
        work=work,
        label=f"Compute column {index + 1}",
        starts_itself=True,
        draw_partial=draw_partial,
        interval=UPDATE_INTERVAL_S,
        subject=f"Column {index + 1}",
        bar_first=False,
        patience=_patience,
    )


def _share(progress: ColumnProgress) -> float:
    """Share of a column's whole work that is done."""
    if progress.evaluation is None:
        return MATCHING_SHARE * progress.share
    accuracy = progress.evaluation.accuracy
    return MATCHING_SHARE + (1 - MATCHING_SHARE) * accuracy.images / accuracy.total


def _wait_for_column(task: Task, recipe: Recipe, budget: Budget) -> ColumnProgress | None:
    """Wait for the result, or for an estimate where the rest takes longer."""
    is_long = NETWORKS[recipe.network].slow or budget.kind == "accuracy"
    return wait_for(task, SLOW_WAIT_S if is_long else FAST_WAIT_S, _is_estimate_ready)


def _is_estimate_ready(progress: ColumnProgress, must_wait: bool) -> bool:
    if not _is_estimate(progress.evaluation):
        return False
    return must_wait or NETWORKS[progress.evaluation.recipe.network].slow


def _is_estimate(evaluation: Evaluation | None) -> bool:
    return evaluation is not None and evaluation.tally.images >= FIRST_ESTIMATE_IMAGES


def _patience(progress: TaskProgress | None) -> float:
    """Age up to which other work goes first, once there is an estimate."""
    has_estimate = progress and progress.partial and _is_estimate(progress.partial.evaluation)
    return REST_PATIENCE_S if has_estimate else 0.0


def _column_result(
    recipe: Recipe, progress: ColumnProgress | None, prune_once: Prune
) -> ColumnResult | None:
    """Result or partial result of a column; None if no image has been classified yet."""
    if progress is None or progress.evaluation is None or progress.matched is None:
        return None
    pruned = prune_once(progress.matched.recipe)
    evaluation = replace(progress.evaluation, known_effective=pruned.effective)
    return ColumnResult(recipe, progress.matched, evaluation, pruned, progress.before_recovery)


def _draw_column(column: ColumnResult) -> None:
    """Draw the numbers of one column, as far as they are known."""
    evaluation, matched = column.evaluation, column.matched
    with st.container(gap="xsmall"):
        draw_accuracy_card(evaluation)
    if column.before_recovery is not None:
        st.caption(f"{column.before_recovery.accuracy.value:.2%} before recovery")
    dense, effective = evaluation.dense, evaluation.effective
    st.metric(
        "Effective parameters",
        f"{effective.parameters / dense.parameters:.1%}",
        f"{effective.parameters:,}",
        help="Parameters left, without weights connected to a channel whose output is always zero "
        "or unused. Physical removal leaves these, and zeros that it cannot take out.",
        **NEUTRAL_DELTA,
    )
    st.metric(
        "Effective MACs",
        f"{effective.macs / dense.macs:.1%}",
        f"{effective.macs:,}",
        help="Multiply-accumulates of the effective weights for one image. Theoretical: see the "
        "cost report below.",
        **NEUTRAL_DELTA,
    )
    strength = _describe_strength(matched.recipe.last_step)
    st.caption(f"Sparsity of the masks {evaluation.sparsity:.1%}. Rule: {strength}")
    if matched.is_nearest:
        st.caption(matched.problem)
    elif matched.problem:
        _draw_warning(matched.problem)
    for text in column.pruned.warnings:
        _draw_warning(text)


def _describe_strength(step: Step) -> str:
    """Name the rule and its value."""
    label = RULES[step.rule].label
    if step.scope == "custom":
        return f"{label}, a value for each layer"
    if isinstance(step.value, str):
        return f"{label} {step.value}"
    is_share = RULES[step.rule].max_value == 1
    return f"{label} {step.value:.2%}" if is_share else f"{label} {step.value:.4g}"


def _draw_warning(text: str) -> None:
    st.warning(text, icon=":material/warning:")


render_page(page, max_upload_bytes=SMALL_FILES)
