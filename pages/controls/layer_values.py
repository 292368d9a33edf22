"""A value for each layer, as a table to be edited."""

from typing import Any

import pandas as pd
import streamlit as st

from pages.controls.sliders import units_of_sparsity
from pages.state.session import SessionState, session
from pruning.engine.prune import has_cached_scores, prune
from pruning.methods.rules import RULES, Rule
from pruning.recipe.recipe import Recipe
from pruning.recipe.step import Step

MAX_HEIGHT, ROW_HEIGHT, HEADER_HEIGHT = 400, 36, 38


def draw_per_layer(shown_recipe: Recipe, recipe: Recipe) -> Recipe:
    """Draw a table with a value for each layer.

    Parameters
    ----------
    shown_recipe : Recipe
        The recipe before this run of the page; at first, its layers give the values.
    recipe : Recipe
        The recipe with the scope ``custom`` and one value for all layers.

    Returns
    -------
    Recipe
        With the values of the table.
    """
    step = recipe.last_step
    rule = RULES[step.rule]
    shape = (recipe.scoring_key, step.rule, recipe.chosen_layers)
    key = SessionState.table_widgets.of(session.table_version)
    if session.table_shape != shape or key not in st.session_state:  # or after another page
        session.table_shape = shape
        session.table = _table(step, _initial_values(shown_recipe, recipe))
        session.table_version += 1
        key = SessionState.table_widgets.of(session.table_version)
    table = session.table
    height = min(MAX_HEIGHT, ROW_HEIGHT * len(table) + HEADER_HEIGHT)
    edited: Any = st.data_editor(
        table,
        hide_index=True,
        disabled=["layer"],
        key=key,
        height=height,
        column_config={table.columns[1]: _value_column(rule)},
    )
    values = {}
    for name, value in zip(edited["layer"], edited[table.columns[1]], strict=True):
        values[name] = float(value) / _scale(rule)
    return recipe.with_last_step(values=tuple(values.items()))


def _scale(rule: Rule) -> float:
    """Shares are shown in percent."""
    return 100.0 if rule.max_value == 1 else 1.0


def _initial_values(shown_recipe: Recipe, recipe: Recipe) -> dict[str, float]:
    """Return what each layer lost before, where that is known, else one value for all."""
    step, shown_step = recipe.last_step, shown_recipe.last_step
    values = {name: float(step.value) for name in recipe.chosen_layers}
    if not step.has_same_scores(shown_step):
        return values
    if shown_step.scope == "custom" and shown_step.rule == step.rule:
        known = dict.fromkeys(shown_recipe.chosen_layers, float(shown_step.value))
        known |= dict(shown_step.values)
    elif step.rule == "sparsity" and has_cached_scores(shown_recipe):
        known = _removed_shares(shown_recipe)
    else:
        known = {}
    return {name: known.get(name, value) for name, value in values.items()}


def _removed_shares(recipe: Recipe) -> dict[str, float]:
    pruned = prune(recipe)
    shares = {}
    for name, group_selection in pruned.selection.items():
        shares[name] = group_selection.count / len(pruned.ranking[name])
    return shares


def _table(step: Step, values: dict[str, float]) -> pd.DataFrame:
    scale = _scale(RULES[step.rule])
    shown = [float(f"{scale * value:.6g}") for value in values.values()]
    return pd.DataFrame({"layer": list(values), _value_heading(step): shown})


def _value_heading(step: Step) -> str:
    """Name the rule and, of a share, of what it is the share."""
    rule, units = RULES[step.rule], units_of_sparsity(step)
    label = rule.label.lower()
    if rule.max_value != 1:
        return label
    return f"{label} (% of {units})" if units else f"{label} (%)"


def _value_column(rule: Rule) -> Any:
    is_share = rule.max_value == 1
    return st.column_config.NumberColumn(
        required=True,
        min_value=None if rule.min_value < 0 else rule.min_value * _scale(rule),
        max_value=_scale(rule) if is_share else None,
    )
