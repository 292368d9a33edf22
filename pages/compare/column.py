"""One column of a comparison: the widgets of its recipe's last step."""

import uuid
from dataclasses import replace

import streamlit as st

from pages.controls import step_list as cards
from pages.state.session import choice, keep, registered
from pruning.engine import prune as experiment
from pruning.experiments.strength import at_sparsity
from pruning.methods.criteria import CRITERIA
from pruning.methods.rules import RULES, Value, count_removed, scopes_for
from pruning.methods.units import METHODS, groupings_for
from pruning.recipe.recipe import Recipe, criteria_for, rules_for, variants_for


def edit_column(i: int, recipe: Recipe, *, own: bool, last: bool) -> Recipe:
    """The widgets of one column's last step."""
    name = st.session_state["column ids"][i]
    for key in ("method", "criterion", "measure", "grouping", "rule", "scope"):
        st.session_state.setdefault(f"{name} {key}", getattr(recipe, key))
    with st.expander("Recipe"):
        method = registered("Method", list(METHODS), f"{name} method", METHODS)
        criterion = registered(
            "Criterion", criteria_for(recipe.network, method), f"{name} criterion", CRITERIA
        )
        measures = variants_for(method, criterion)
        measure = choice("Measure", measures, f"{name} measure") if len(measures) > 1 else ""
        groupings = groupings_for(recipe.network, method)
        grouping = (
            choice(
                "Grouping", groupings, f"{name} grouping", format_func=METHODS[method].groupings.get
            )
            if groupings
            else ""
        )
        rule = registered("Rule", rules_for(method, criterion), f"{name} rule", RULES)
        scope = choice("Scope", scopes_for(rule, method), f"{name} scope")
        if recipe.layers:
            st.caption(
                f"Only {', '.join(recipe.layers)} take{'s' if len(recipe.layers) == 1 else ''} part."
            )
        if recipe.earlier:
            st.caption(
                f"After {len(recipe.earlier)} earlier step{'s' if len(recipe.earlier) > 1 else ''}."
            )
        if "recipe" in st.session_state:
            st.button(
                "Take the recipe of Explore",
                key=f"{name} take",
                on_click=_take,
                args=[i],
                width="stretch",
            )
        st.button(
            "Remove this column",
            key=f"{name} drop",
            on_click=_drop,
            args=[i],
            width="stretch",
            disabled=last,
        )
    same = (method, criterion) == (recipe.method, recipe.criterion)
    edited = replace(
        recipe,
        method=method,
        criterion=criterion,
        grouping=grouping,
        scope=scope,
        rule=rule,
        value=recipe.value if rule == recipe.rule else _first_value(rule),
        measure=measure,
        values=recipe.values
        if same and scope == "custom" and grouping in ("", recipe.grouping)
        else (),
        layers=recipe.layers if same and grouping in ("", recipe.grouping) else None,
    )
    return replace(edited, value=_own_value(f"{name} share", edited)) if own else edited


def _first_value(rule: str) -> Value:
    return RULES[rule].patterns[0] if RULES[rule].patterns else max(0.5, RULES[rule].min_value)


def _own_value(key: str, recipe: Recipe) -> Value:
    """Of the column's own slider, which is one of shares whatever the rule: so all columns have the same."""
    rule, unit = RULES[recipe.rule], METHODS[recipe.method].unit
    if rule.patterns:
        return choice(
            rule.label,
            list(dict.fromkeys([*rule.patterns, recipe.value])),
            key,
            otherwise=rule.patterns.index(recipe.value) if recipe.value in rule.patterns else -1,
        )
    if recipe.scope == "custom":
        st.caption("Each layer has a value of its own.")
        return recipe.value
    if recipe.rule != "sparsity" and not experiment.scored(recipe):
        st.caption("The slider comes with the scores.")
        return recipe.value
    now = (
        recipe.value
        if recipe.rule == "sparsity"
        else (count_removed(experiment.select(recipe)) / max(1, experiment.ranking(recipe).units))
    )
    shown = (
        round(200 * now) / 2
    )  # the slider's steps; a value between them stays as it is until the slider moves
    if key not in st.session_state or st.session_state.get(f"{key} of") != (
        recipe.scoring,
        recipe.rule,
        recipe.scope,
    ):
        st.session_state.update(
            {key: shown, f"{key} of": (recipe.scoring, recipe.rule, recipe.scope)}
        )
    share = st.slider(
        f"{unit.capitalize()}s removed", 0.0, 100.0, step=0.5, format="%.1f%%", **keep(key)
    )
    return recipe.value if share == shown else at_sparsity(recipe, share / 100).value


def _drop(i: int) -> None:
    del st.session_state["comparison"][i], st.session_state["column ids"][i]


def _take(i: int) -> None:
    """The recipe of the Explore page, on this comparison's network."""
    mine, taken = st.session_state["comparison"], st.session_state["recipe"]
    mine[i] = cards.moved(taken, mine[i].network, mine[i].dataset)
    st.session_state["column ids"][i] = uuid.uuid4().hex[:8]
