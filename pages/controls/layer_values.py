"""A value for each layer, as a table to be edited."""

import pandas as pd
import streamlit as st

from pruning.engine import prune as experiment
from pruning.methods.rules import RULES
from pruning.recipe.recipe import Recipe


def edit_values(before: Recipe, asked: Recipe, same_units: bool) -> dict[str, float]:
    """A value for each layer, to be edited; at first those that the layers had before."""
    names, rule = asked.chosen_layers, RULES[asked.rule]
    scale = 100.0 if rule.max_value == 1 else 1.0
    shape = (asked.scoring, asked.rule, names)
    key = f"table {st.session_state.get('tables', 0)}"
    if (
        st.session_state.get("table shape") != shape or key not in st.session_state
    ):  # its edits went with another page
        start = {name: dict(asked.values).get(name, asked.value) for name in names}
        if same_units and before.scope == "custom" and before.rule == asked.rule:
            start |= {name: value for name, value in before.values if name in start}
        elif asked.rule == "sparsity" and same_units and experiment.scored(before):
            ranked, choice_now = experiment.ranking(before), experiment.select(before)
            start |= {
                name: cut.count / len(ranked[name])
                for name, cut in choice_now.items()
                if name in start
            }
        column = f"{rule.label.lower()} (%)" if scale > 1 else rule.label.lower()
        st.session_state["table shape"] = shape
        st.session_state["table"] = pd.DataFrame(
            {"layer": names, column: [float(f"{scale * start[n]:.6g}") for n in names]}
        )
        st.session_state["tables"] = st.session_state.get("tables", 0) + 1
        key = f"table {st.session_state['tables']}"
    frame = st.session_state["table"]
    column = frame.columns[1]
    number = st.column_config.NumberColumn(
        required=True,
        min_value=None if rule.min_value < 0 else rule.min_value * scale,
        max_value=rule.max_value * scale if scale > 1 else None,
    )
    edited = st.data_editor(
        frame,
        hide_index=True,
        disabled=["layer"],
        key=key,
        height=min(400, 36 * len(frame) + 38),
        column_config={column: number},
    )
    return {name: float(value) / scale for name, value in zip(edited["layer"], edited[column])}
