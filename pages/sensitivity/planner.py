"""The planner: a sparsity for each layer that keeps the accuracy on validation images."""

from collections.abc import Callable

import streamlit as st

from pages.state.background_task import Task, TaskProgress
from pages.state.session import SessionState
from pages.state.tables import column_config
from pages.state.url import MAX_LOSS, open_on_explore
from pages.state.widgets import persistent
from pruning.experiments.sensitivity import SensitivityScan
from pruning.experiments.sparsity_plan import SparsityPlan, plan_sparsities
from pruning.methods.recovery import RECOVERIES

TASK = "plan"
SIZE_TOLERANCE = 0.02
"""Difference in size between plan and baseline that is worth a remark."""


def draw_max_loss() -> float:
    """Draw the planner's control.

    Returns
    -------
    float
        Points of validation accuracy that the plan may lose.
    """
    st.markdown("## Planner")
    narrow, _ = st.columns([2, 3])
    return narrow.number_input(
        "Maximum loss of validation accuracy (points)",
        0.0,
        MAX_LOSS,
        step=0.5,
        help="Of all validation images. One image of 5,000 is 0.02 points.",
        **persistent(SessionState.lose.key),
    )


def plan_task(scan: SensitivityScan, max_loss: float) -> Task:
    """Return the task that plans a sparsity for each layer.

    Parameters
    ----------
    scan : SensitivityScan
        A complete scan.
    max_loss : float
        Points of validation accuracy that the plan may lose.

    Returns
    -------
    Task
        Its result is a `SparsityPlan`.
    """
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


def draw_plan(plan: SparsityPlan) -> None:
    """Draw a plan as a table, beside baselines of the same size.

    Parameters
    ----------
    plan : SparsityPlan
        The plan.
    """
    table = plan.table()
    headings = {"plan": st.column_config.TextColumn("sparsities", width="large")}
    st.dataframe(table, hide_index=True, column_config=column_config(table) | headings)
    sparsities = ", ".join(f"{layer} {share:.1%}" for layer, share in plan.plan.sparsities.items())
    recovery = plan.plan.recipe.recovery
    recovered = f" All accuracies are after recovery: {_names(recovery)}." if recovery else ""
    st.caption(
        f"Dense: {plan.dense_validation:.2%} on validation images. The plan is chosen on "
        "validation images: no baseline of its size is more accurate there. Its name says what "
        "it started from. Test accuracy is measured on all test images, for information "
        f"only.{recovered} Nearest levels are marked in the heatmap; the plan is {sparsities}."
    )
    _draw_size_remarks(plan)
    st.button(
        "Open the plan on Explore",
        icon=":material/tune:",
        on_click=open_on_explore,
        args=[plan.plan.recipe],
    )


def _names(recovery: tuple[str, ...]) -> str:
    return ", ".join(RECOVERIES[name].label.lower() for name in recovery)


def _draw_size_remarks(plan: SparsityPlan) -> None:
    """Say where a baseline is not of the same size as the plan."""
    parameters = max(1, plan.plan.effective.parameters)
    for baseline in plan.baselines:
        difference = abs(baseline.effective.parameters / parameters - 1)
        if difference > SIZE_TOLERANCE:
            st.caption(
                f"{baseline.name}: the nearest size that it can have differs by {difference:.1%}."
            )
