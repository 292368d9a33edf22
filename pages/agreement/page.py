"""Agreement: do criteria remove the same units, and do they order all units alike?"""

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import streamlit as st

from pages.controls.sidebar import await_and_draw_recipe
from pages.controls.sliders import slider_label
from pages.controls.step_form import ShownControls
from pages.state.background_task import Task, TaskProgress, draw_task, wait_for
from pages.state.messages import render_page, show_pending_message
from pages.state.session import SessionState
from pages.state.visitor import set_active_work
from pages.state.widgets import CHART, persistent
from pruning.data.datasets import DATASETS
from pruning.experiments.agreement import Agreement, measure_agreement, with_criterion
from pruning.figures.matrix import alt_of_matrix, matrix
from pruning.methods.criteria import CRITERIA
from pruning.methods.units import METHODS
from pruning.models import NETWORKS
from pruning.recipe.compatibility import criteria_for
from pruning.recipe.recipe import Recipe

TASK = "agreement"
SHOWN = ShownControls(criterion=False, rule=False, own_values=False, recovery=False)
"""Criteria are chosen on the page, and compared at a sparsity."""
WAIT_S = 1.5  # scores that take longer get a progress bar


def page() -> None:
    """Draw the page."""
    set_active_work(TASK)
    st.title("Agreement")
    messages = st.container()
    recipe = await_and_draw_recipe(shown=SHOWN)
    with messages:
        show_pending_message()
    if recipe is None:
        return
    criteria = _choose_criteria(recipe)
    sparsity = _choose_sparsity(recipe)
    if len(criteria) < 2:
        st.info("Choose two criteria or more.")
        return
    _draw_description(with_criterion(recipe, criteria[0], sparsity))
    task = _task(recipe, criteria, sparsity)
    agreement = wait_for(task, WAIT_S)
    if agreement is None:
        draw_task(task)
        return
    _draw_agreement(agreement, sparsity)


def _choose_criteria(recipe: Recipe) -> list[str]:
    method = recipe.last_step.method
    names = criteria_for(recipe.network, method)
    key = SessionState.agreement_widgets.of(method)
    if not set(st.session_state.get(key, [])) <= set(names):
        del st.session_state[key]
    quick = [name for name in names if not CRITERIA[name].is_slow]
    st.session_state.setdefault(key, quick)
    return st.multiselect("Criteria", names, format_func=_label, **persistent(key))


def _choose_sparsity(recipe: Recipe) -> float:
    field = SessionState.agreement_sparsity
    st.session_state.setdefault(field.key, field.default())
    label = slider_label(replace(recipe.last_step, rule="sparsity"))
    percentage = st.slider(
        f"{label} at which they are compared",
        1.0,
        99.0,
        step=1.0,
        format="%.0f%%",
        **persistent(field.key),
    )
    return percentage / 100


def _label(criterion: str) -> str:
    return CRITERIA[criterion].label


def _draw_description(recipe: Recipe) -> None:
    step = recipe.last_step
    network, dataset = NETWORKS[recipe.network].label, DATASETS[recipe.dataset].label
    unit = METHODS[step.method].unit_in(step.grouping)
    text = (
        f"{network} on {dataset}: the {unit}s that each criterion would "
        f"remove at {step.value:.0%}, in the scope *{step.scope}*"
    )
    if recipe.previous_steps:
        text += ", after the previous steps"
    st.caption(f"{text}.")


def _task(recipe: Recipe, criteria: list[str], sparsity: float) -> Task:
    def work(report: Callable[[TaskProgress], None]) -> Agreement:
        return measure_agreement(
            recipe, criteria, sparsity, lambda share: report(TaskProgress(share))
        )

    compared = [with_criterion(recipe, criterion, sparsity) for criterion in criteria]
    return Task(
        name=TASK,
        key=("agreement", tuple(compared)),
        work=work,
        label="Compare the criteria",
        starts_itself=True,
        interval=0.5,
        subject="The agreement",
    )


def _draw_agreement(agreement: Agreement, sparsity: float) -> None:
    with st.container(key="pictures"):  # one below the other in a narrow window
        left, right = st.columns(2)
    with left:
        st.markdown("## Overlap of the removed units")
        _draw_matrix(
            agreement.jaccard, "Jaccard overlap", "Jaccard overlap of the removed units", low=0
        )
        by_chance = sparsity / (2 - sparsity)
        st.caption(
            "Jaccard overlap: removed by both / removed by at least one; 1 = the same units. "
            f"Expected by chance: about {by_chance:.2f}."
        )
    with right:
        st.markdown("## Rank correlation of the scores")
        _draw_matrix(
            agreement.correlation, "Spearman correlation", "rank correlation of the scores", low=-1
        )
        st.caption(
            "Spearman's rank correlation: 1 = the same order, 0 = unrelated, -1 = the reverse "
            "order."
        )


def _draw_matrix(table: pd.DataFrame, title: str, description: str, *, low: float) -> None:
    labels = {name: _label(name) for name in table.columns}
    table = table.rename(index=labels, columns=labels)
    st.plotly_chart(
        matrix(table, title=title, low=low),
        key=title,
        alt=alt_of_matrix(table, description),
        **CHART,
    )


render_page(page)
