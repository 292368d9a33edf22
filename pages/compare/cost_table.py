"""The cost report of a comparison, on request."""

from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd
import streamlit as st

from pages.state.background_task import Task, TaskProgress, draw_task
from pages.state.messages import escape_markdown
from pruning.cost.report import CostReport
from pruning.experiments.removal_report import report_removal
from pruning.recipe.recipe import Recipe

TASK = "cost report"


def draw_cost_report(
    labels: Sequence[str], task: Task, reports: Sequence[CostReport] | None
) -> None:
    """Draw the cost of each column's dense, masked and removed network, or a button.

    Parameters
    ----------
    labels : sequence of str
        Names of the columns.
    task : Task
        The `cost_task` of the columns.
    reports : sequence of CostReport or None
        The result of the task, if it has one.
    """
    st.markdown("## Cost report")
    if reports is None:
        draw_task(task)
        st.caption(
            "Counts and file sizes of the dense, masked and removed networks, their peak memory "
            "and measured latency, and a check that masked and removed networks give the same "
            "logits."
        )
        return
    table = _table(labels, reports)
    widths = {name: st.column_config.TextColumn(name, width="medium") for name in table.columns}
    st.dataframe(table, hide_index=True, column_config=widths)
    st.caption(
        "Masked: what the masks keep, as on Explore. Removed: the compact network that was built. "
        "The effective counts above are those of the removed network without its remaining zeros."
    )
    for label, report in zip(labels, reports, strict=True):
        agreement = "agree" if report.agrees else "**do not agree**"
        st.caption(
            f"{escape_markdown(label)}: masked and removed logits {agreement} (largest difference "
            f"{report.difference:.1e} on {report.compared_images:,} test images). "
            f"{' '.join(report.remarks)}"
        )


def cost_task(recipes: Sequence[Recipe]) -> Task:
    """Return the task that measures the costs of all columns.

    Parameters
    ----------
    recipes : sequence of Recipe
        The recipe of each column, at the budget.

    Returns
    -------
    Task
        Its result has a `CostReport` for each column.
    """
    recipes = tuple(recipe.on_all_images for recipe in recipes)

    def work(report: Callable[[TaskProgress], None]) -> tuple[CostReport, ...]:
        reports = []
        for index, recipe in enumerate(recipes):
            progress = TaskProgress(index / len(recipes))
            reports.append(report_removal(recipe, partial(report, progress)))
        return tuple(reports)

    return Task(
        name=TASK,
        key=("cost report", recipes),
        work=work,
        label="Write the files and measure the latency",
        subject="The cost report",
    )


def _table(labels: Sequence[str], reports: Sequence[CostReport]) -> pd.DataFrame:
    """A row per quantity; the dense network once, then each column masked and removed."""
    table = reports[0].table()[["quantity", "dense"]]
    for label, report in zip(labels, reports, strict=True):
        costs = report.table()
        table[f"{label}, masked"] = costs["masked"]
        table[f"{label}, removed"] = costs["removed"]
    return table
