"""Retrain: prune and train, watch every epoch, and keep the networks as checkpoints."""

from collections.abc import Callable, Sequence

import streamlit as st

from pages.controls.amount import draw_summary
from pages.controls.scoring import cancel_scoring, draw_scoring, request_scores
from pages.controls.sidebar import Sidebar, after_active_step, score_and_draw_sidebar
from pages.retrain.comparison import comparison_task, draw_comparison, draw_map
from pages.retrain.details import draw_run
from pages.retrain.form import draw_form, draw_start
from pages.state.background_task import Task, TaskProgress, draw_task, wait_for
from pages.state.messages import render_page, show_pending_message
from pages.state.own_networks import visible_runs
from pages.state.session import SessionState, session
from pages.state.tables import column_config
from pages.state.url import follow_opened_recipe
from pages.state.visitor import set_active_work
from pruning.engine.prune import prune
from pruning.experiments.run_table import runs_table
from pruning.recipe.recipe import Recipe
from pruning.training.probe import Speed, measure_speed, speed_key
from pruning.training.run_files import RunInfo
from pruning.training.spec import RunSpec

PROBE = "speed"
TABLE_KEY = "runs_table"
RUN_COLUMNS = (
    "run",
    "state",
    "recipe",
    "schedule",
    "epochs",
    "sparsity",
    "test_accuracy",
)
PATIENCE_S = 0.1


def page() -> None:
    """Draw the page."""
    set_active_work(PROBE, "scores", "runs")
    follow_opened_recipe()
    sidebar = score_and_draw_sidebar(view=(SessionState.selected_run.key,))
    st.title("Retrain")
    show_pending_message()
    st.caption(
        "Prune, then train what remains: accuracy comes back. A run goes on while you look at "
        "other pages, and its network is a checkpoint for all of them."
    )
    if sidebar is not None:
        _show_form(sidebar)
    runs = visible_runs()
    if not runs:
        st.info("There are no runs yet: start one above, or by `python -m pruning retrain`.")
        return
    st.subheader("Runs", anchor=False)
    _draw_table(runs)
    selected = _selected_run(runs)
    if selected is not None:
        draw_run(selected)
    if sidebar is not None:
        _show_comparison(sidebar.recipe, runs)


def _show_form(sidebar: Sidebar) -> None:
    unscored = sidebar.unscored or request_scores(sidebar.recipe)
    if unscored is not None:
        draw_scoring(unscored)
        return
    cancel_scoring()
    with sidebar.summary_slot:
        draw_summary(after_active_step(prune(sidebar.recipe), sidebar))
    with st.container(border=True, key="new run"):
        spec = draw_form(sidebar.recipe)
        if spec is not None:
            draw_start(spec, wait_for(_speed_task(spec), PATIENCE_S))


def _speed_task(spec: RunSpec) -> Task:
    def work(report: Callable[[TaskProgress], None]) -> Speed:
        return measure_speed(spec, report=lambda share: report(TaskProgress(share)))

    return Task(
        name=PROBE,
        key=(PROBE, speed_key(spec, "auto")),
        work=work,
        label="Measure the speed",
        starts_itself=True,
        subject="The speed",
    )


def _draw_table(runs: Sequence[RunInfo]) -> None:
    table = runs_table(runs)[list(RUN_COLUMNS)]
    config = column_config(table)
    st.dataframe(
        table,
        key=TABLE_KEY,
        hide_index=True,
        column_config=config,
        column_order=RUN_COLUMNS,
        on_select=lambda: _select_row([run.name for run in runs]),
        selection_mode="single-row",
        height=min(300, 38 * (len(runs) + 1)),
    )


def _select_row(names: list[str]) -> None:
    rows = st.session_state[TABLE_KEY].selection.rows
    session.selected_run = names[rows[0]] if rows and rows[0] < len(names) else ""


def _selected_run(runs: Sequence[RunInfo]) -> RunInfo | None:
    name = session.selected_run
    if not name:
        st.caption("Select a run in the table or in the map to see its epochs.")
        return None
    return next((run for run in runs if run.name == name), None)


def _show_comparison(recipe: Recipe, runs: Sequence[RunInfo]) -> None:
    st.subheader("Compared", anchor=False)
    task = comparison_task(recipe, runs)
    points = wait_for(task, PATIENCE_S)
    if points is None:
        draw_task(task)
    else:
        draw_comparison(recipe, points)
    st.subheader("What was made from what", anchor=False)
    draw_map(recipe, runs)


render_page(page)
