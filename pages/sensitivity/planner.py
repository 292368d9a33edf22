"""The planner: a sparsity for each layer that keeps the accuracy on validation images."""

from collections.abc import Callable

import streamlit as st

from pages.state.background_task import Task, TaskProgress, draw_task, wait_for
from pages.state.tables import column_config
from pages.state.url import open_on_explore
from pages.state.widgets import persistent
from pruning.experiments.sensitivity import SensitivityScan
from pruning.experiments.sparsity_plan import SparsityPlan, plan_sparsities

TASK = "plan"
MAX_LOSS = 50.0
"""Points of validation accuracy that a plan may lose."""
SIZE_TOLERANCE = 0.02
"""Difference in size between plan and baseline that is worth a remark."""


def draw_planner(scan: SensitivityScan) -> SparsityPlan | None:
    """Draw the planner's control and the plan.

    Parameters
    ----------
    scan : SensitivityScan
        A complete scan.

    Returns
    -------
    SparsityPlan or None
        None while it is being computed.
    """
    st.markdown("##### Planner")
    narrow, _ = st.columns([2, 3])
    max_loss = narrow.number_input(
        "Maximum loss of validation accuracy (points)",
        0.0,
        MAX_LOSS,
        step=0.5,
        **persistent("lose"),
    )
    task = _task(scan, max_loss)
    plan = wait_for(task)
    if plan is None:
        draw_task(task)
        return None
    _draw_plan(plan, scan)
    return plan


def _task(scan: SensitivityScan, max_loss: float) -> Task:
    assert scan.dense is not None  # of a complete scan

    def work(report: Callable[[TaskProgress], None]) -> SparsityPlan:
        return plan_sparsities(scan, max_loss, lambda share: report(TaskProgress(share)))

    return Task(
        name=TASK,
        key=("plan", scan.recipe, scan.levels, max_loss, scan.dense.tally.images),
        work=work,
        label="Make a plan",
        starts_itself=True,
        subject="The plan",
    )


def _draw_plan(plan: SparsityPlan, scan: SensitivityScan) -> None:
    table = plan.table()
    headings = {"plan": st.column_config.TextColumn("sparsities", width="medium")}
    st.dataframe(table, hide_index=True, column_config=column_config(table) | headings)
    values = dict(plan.plan.recipe.last_step.values)
    sparsities = ", ".join(f"{layer} {values.get(layer, 0.0):.0%}" for layer in scan.layers)
    st.caption(
        f"Dense: {plan.dense_validation:.2%} on validation images. The plan is chosen on "
        "validation images; test accuracy is measured on all test images, for information "
        f"only. The plan is marked in the heatmap: {sparsities}."
    )
    _draw_size_remarks(plan)
    st.button(
        "Open the plan on Explore",
        icon=":material/tune:",
        on_click=open_on_explore,
        args=[plan.plan.recipe],
    )


def _draw_size_remarks(plan: SparsityPlan) -> None:
    """Say where a baseline is not of the same size as the plan."""
    parameters = max(1, plan.plan.effective.parameters)
    for baseline in plan.baselines:
        difference = abs(baseline.effective.parameters / parameters - 1)
        if difference > SIZE_TOLERANCE:
            st.caption(
                f"{baseline.name}: the nearest size that it can have differs by {difference:.1%}."
            )
