"""The controls of one column of a comparison: the last step of its recipe."""

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from pages.compare.recipes import remove_column, use_recipe_of_explore
from pages.controls.recovery import draw_recovery
from pages.controls.step_form import ShownControls, draw_step_form
from pages.state.session import SessionState, session
from pages.state.step_widgets import StepWidgets, recovery_option
from pages.state.widgets import persistent, select
from pruning.engine.prune import has_cached_scores
from pruning.engine.pruned_network import PrunedNetwork
from pruning.experiments.strength import with_sparsity
from pruning.methods.rules import RULES
from pruning.methods.selection import Value
from pruning.methods.units import METHODS
from pruning.recipe.recipe import Recipe

SLIDER_STEPS = 200
"""Steps of a column's own slider, from nothing to everything."""

Prune = Callable[[Recipe], PrunedNetwork]
"""``prune_once(recipe)`` gives the result of a recipe."""


def draw_column_controls(
    index: int, recipe: Recipe, prune_once: Prune, *, show_slider: bool, is_only: bool
) -> Recipe:
    """Draw the widgets of one column.

    Parameters
    ----------
    index : int
        Index of the column.
    recipe : Recipe
        The recipe of the column.
    prune_once : callable
        Prunes a recipe, or returns what an earlier call in this run of the page has pruned.
    show_slider : bool
        Whether the column has a value of its own.
    is_only : bool
        Whether it is the only column, which cannot be removed.

    Returns
    -------
    Recipe
        The recipe as the widgets show it.
    """
    column = session.column_ids[index]
    of = SessionState.column_widgets.of
    with st.expander("Recipe", key=SessionState.column_widgets.of(column, "recipe")):
        edited = _draw_form(column, recipe)
        if session.recipe is not None:
            st.button(
                "Use the recipe of Explore",
                key=of(column, "use"),
                on_click=use_recipe_of_explore,
                args=[index],
                width="stretch",
            )
        st.button(
            "Remove this column",
            key=of(column, "remove"),
            on_click=remove_column,
            args=[index],
            width="stretch",
            disabled=is_only,
        )
    if show_slider:
        return edited.with_last_step(value=_draw_value(column, edited, prune_once))
    return edited


def _draw_form(column: str, recipe: Recipe) -> Recipe:
    """Draw the form of the last step, and say what it does not show."""
    widgets = StepWidgets.of_column(column)
    if not widgets.is_set:
        widgets.show(recipe.last_step)
    step = draw_step_form(
        recipe.last_step, recipe.network, recipe.dataset, widgets, ShownControls(formula=False)
    )
    key = SessionState.column_widgets.of(column, "recovery")
    st.session_state.setdefault(key, recovery_option(recipe.recovery))
    recovery = draw_recovery(recipe.network, key)
    edited = replace(recipe, steps=(*recipe.previous_steps, step), recovery=recovery)
    layers = edited.last_step.layers
    if layers:
        st.caption(f"Layers that take part: {', '.join(layers)}.")
    count = len(recipe.previous_steps)
    if count:
        steps = "step" if count == 1 else "steps"
        st.caption(f"After {count} previous {steps}.")
    return edited


def _draw_value(column: str, recipe: Recipe, prune_once: Prune) -> Value:
    """Draw the column's own value: a share of units, whatever the rule, so that columns compare."""
    step = recipe.last_step
    rule = RULES[step.rule]
    key = SessionState.column_widgets.of(column, "share")
    if rule.patterns:
        patterns = list(dict.fromkeys([*rule.patterns, str(step.value)]))
        if key not in st.session_state:
            st.session_state[key] = step.value
        return select(rule.label, patterns, key)
    if step.scope == "custom":
        st.caption("Each layer has a value of its own.")
        return step.value
    if step.rule != "sparsity" and not has_cached_scores(recipe):
        st.caption("The slider is shown when the units have been scored.")
        return step.value
    share = step.value if step.rule == "sparsity" else prune_once(recipe).removed_share
    return _draw_share(column, key, recipe, float(share))


def _draw_share(column: str, key: str, recipe: Recipe, share: float) -> Value:
    """Draw the slider; a value between its steps stays as it is until the slider moves."""
    step = recipe.last_step
    current = 100 * round(SLIDER_STEPS * share) / SLIDER_STEPS
    shape = (recipe.scoring_key, step.rule, step.scope, recipe.chosen_layers)
    if key not in st.session_state or session.column_slider_shapes.get(column) != shape:
        st.session_state[key] = current
        session.column_slider_shapes[column] = shape
    unit = METHODS[step.method].unit_in(step.grouping).capitalize()
    moved_to = st.slider(
        f"{unit}s removed",
        0.0,
        100.0,
        step=100 / SLIDER_STEPS,
        format="%.1f%%",
        **persistent(key),
    )
    if moved_to == current:
        return step.value
    return with_sparsity(recipe, moved_to / 100).last_step.value
