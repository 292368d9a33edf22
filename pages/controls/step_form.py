"""The widgets of one step: what is removed, by which criterion, rule and scope, and how much."""

from dataclasses import replace

import streamlit as st

from pages.controls.amount import draw_value
from pages.state.session import choice, keep, registered, segments
from pages.state.url import layers_key
from pruning.data.datasets import DATASETS
from pruning.methods.criteria import CRITERIA
from pruning.methods.rules import RULES, SCOPES, scopes_for
from pruning.methods.units import METHODS, groupings_for, groups_of
from pruning.recipe.recipe import Recipe, Step, criteria_for, rules_for, variants_for
from pruning.runtime.registry import Registry


def draw_step(before: Recipe, amount: bool) -> Step:
    """Draw the widgets of the last step of ``before`` and give what they say now."""
    network = before.network
    method = registered("Method", list(METHODS), "method", METHODS, help=_helps(METHODS))
    grouping = _grouping(before, method)
    criterion = registered(
        "Criterion",
        criteria_for(network, method),
        "criterion",
        CRITERIA,
        help=_helps({name: CRITERIA[name] for name in criteria_for(network, method)}),
    )
    measures = variants_for(method, criterion)
    measure = (
        choice("Measure", measures, "measure", format_func=CRITERIA[criterion].variants.get)
        if measures
        else ""
    )
    st.caption(f"${CRITERIA[criterion].formula}$ · *{CRITERIA[criterion].source}*")
    rules = rules_for(method, criterion)
    rule = registered(
        "Rule", rules, "rule", RULES, help=_helps({name: RULES[name] for name in rules})
    )
    scope = _scope(rule, method)
    place = st.container()
    units = replace(
        before,
        method=method,
        grouping=grouping,
        criterion=criterion,
        measure=measure,
        rule="sparsity",
        value=0.5,
        scope="global",
        values=(),
        layers=None,
    )
    with st.expander("Layers that take part"):
        units = replace(units, layers=_layers(units))
    with place:
        return draw_value(before, units, rule, scope, amount)


def _grouping(before: Recipe, method: str) -> str:
    names = groupings_for(before.network, method)
    if len(names) < 2 or method == "feature" and DATASETS[before.dataset].channels == 1:
        return ""
    return choice(
        "Channels" if method == "feature" else "Additions",
        names,
        "grouping",
        format_func=METHODS[method].groupings.get,
    )


def _scope(rule: str, method: str) -> str:
    """What competes. Most rules look at each score by itself: then it matters only whether layers have own values."""
    names = scopes_for(rule, method)
    labels, key = ({}, "scope") if RULES[rule].scopes else ({"global": "all alike"}, "alike")
    return segments(
        "Scope",
        names,
        key,
        disabled=len(names) == 1,
        format_func=lambda n: labels.get(n, n),
        help="  \n".join(f"**{name}**: {text}." for name, text in SCOPES.items())
        + "  \nMost rules look at each score by itself: then layers do not compete.",
    )


def _layers(units: Recipe) -> tuple[str, ...]:
    names = list(groups_of(units.network, units.method, units.grouping))
    key = layers_key(units)
    if set(st.session_state.get(key, names)) - set(names):
        del st.session_state[key]
    st.session_state.setdefault(key, names)
    return tuple(
        st.multiselect(
            "Layers", names, label_visibility="collapsed", placeholder="Choose layers", **keep(key)
        )
    )


def _helps(registry: Registry | dict) -> str:
    return "  \n".join(
        f"**{entry.label}**"
        + (f" ${entry.formula}$" if hasattr(entry, "formula") else "")
        + f": {entry.help}"
        for entry in registry.values()
    )
