"""The widgets of one step: what is removed, and by which criterion, rule and scope."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from pages.state.step_widgets import StepWidgets
from pages.state.widgets import registry_select, segments, select
from pruning.data.datasets import DATASETS
from pruning.methods.criteria import CRITERIA
from pruning.methods.rules import RULES, SCOPES
from pruning.methods.selection import Value
from pruning.methods.units import METHODS
from pruning.recipe.compatibility import (
    criteria_for,
    groupings_for,
    methods_for,
    rules_for,
    scopes_for,
    variants_for,
)
from pruning.recipe.step import Step
from pruning.runtime.registry import Registry

DEFAULT_VALUE = 0.5
OWN_VALUES = "custom"
SCOPE_LABELS = {"erk": "ERK", OWN_VALUES: "own"}


@dataclass(frozen=True)
class ShownControls:
    """Which controls of a step a page shows; the step keeps its choices where one is hidden.

    Parameters
    ----------
    criterion, formula, rule, scope : bool
        The selectors, and formula and source of the criterion.
    layers : bool
        The choice of the layers that take part.
    own_values : bool
        Whether the scope can be a value for each layer.
    recovery : bool
        The selector of the recovery.
    """

    criterion: bool = True
    formula: bool = True
    rule: bool = True
    scope: bool = True
    layers: bool = True
    own_values: bool = True
    recovery: bool = True


ALL_CONTROLS = ShownControls()


def draw_step_form(
    step: Step,
    network: str,
    dataset: str,
    widgets: StepWidgets,
    shown: ShownControls = ALL_CONTROLS,
) -> Step:
    """Draw the widgets of a step.

    Parameters
    ----------
    step : Step
        The step before this run of the page.
    network, dataset : str
        Names in ``NETWORKS`` and ``DATASETS``.
    widgets : StepWidgets
        Keys of the widgets.
    shown : ShownControls
        The controls to draw.

    Returns
    -------
    Step
        With the choices of the widgets. The value, the layers and their values are those of
        ``step`` as far as they still apply; else a default value, all layers and no values.
    """
    names = methods_for(network)
    method = registry_select("Method", names, widgets.method, METHODS, help=_help(METHODS, names))
    grouping = _draw_grouping(network, dataset, method, widgets.grouping)
    criterion, variant = _draw_criterion(step, network, method, widgets, shown)
    rule = _draw_rule(step, method, criterion, widgets, shown)
    scope = _draw_scope(step, rule, method, widgets, shown)
    edited = replace(
        step,
        method=method,
        grouping=grouping,
        criterion=criterion,
        variant=variant,
        rule=rule,
        scope=scope,
    )
    return _without_stale_fields(step, edited)


def _without_stale_fields(step: Step, edited: Step) -> Step:
    """Replace the value, the layers and their values where they do not fit the new choices."""
    same_groups = step.method == edited.method and edited.grouping in ("", step.grouping)
    same_scores = same_groups and step.criterion == edited.criterion
    keep_values = same_scores and step.rule == edited.rule and edited.scope == "custom"
    keep_value = step.rule == edited.rule
    if RULES[edited.rule].value_is_score and step.criterion != edited.criterion:
        keep_value = False
    return replace(
        edited,
        value=step.value if keep_value else default_value(edited.rule),
        values=step.values if keep_values else (),
        layers=step.layers if same_groups else None,
    )


def default_value(rule: str) -> Value:
    """Return a value of a rule to begin with.

    Parameters
    ----------
    rule : str
        Name in ``RULES``.

    Returns
    -------
    float or str
        The first pattern of a rule of patterns, else 0.5 or the smallest value above.
    """
    patterns = RULES[rule].patterns
    return patterns[0] if patterns else max(DEFAULT_VALUE, RULES[rule].min_value)


def _draw_grouping(network: str, dataset: str, method: str, key: str) -> str:
    names, entry = groupings_for(network, method), METHODS[method]
    are_alike = entry.groups_by_channels and DATASETS[dataset].channels == 1
    if len(names) < 2 or are_alike:
        return ""
    return select(entry.grouping_label, names, key, format_func=entry.groupings.get)


def _draw_criterion(
    step: Step, network: str, method: str, widgets: StepWidgets, shown: ShownControls
) -> tuple[str, str]:
    """Draw the criterion and its variant; a hidden one stays, as far as the method has it."""
    names = criteria_for(network, method)
    if not shown.criterion:
        return (step.criterion, step.variant) if step.criterion in names else (names[0], "")
    criterion = registry_select(
        "Criterion", names, widgets.criterion, CRITERIA, help=_help(CRITERIA, names)
    )
    variant = _draw_variant(method, criterion, widgets.variant)
    if shown.formula:
        st.caption(f"${CRITERIA[criterion].formula}$ · *{CRITERIA[criterion].source}*")
    return criterion, variant


def _draw_rule(
    step: Step, method: str, criterion: str, widgets: StepWidgets, shown: ShownControls
) -> str:
    names = rules_for(method, criterion)
    if not shown.rule:
        return _kept(step.rule, names)
    if step.rule not in names:
        st.toast(
            f"The rule {RULES[step.rule].label} is not defined for {METHODS[method].label} by "
            f"{CRITERIA[criterion].label}: it is now {RULES[names[0]].label}."
        )
    return registry_select("Rule", names, widgets.rule, RULES, help=_help(RULES, names))


def _kept(name: str, names: Sequence[str]) -> str:
    """Return the choice of a hidden control, or the first one if it is not defined any more."""
    return name if name in names else names[0]


def _draw_variant(method: str, criterion: str, key: str) -> str:
    names = variants_for(method, criterion)
    if not names:
        return ""
    return select("Measure", names, key, format_func=CRITERIA[criterion].variants.get)


def _draw_scope(
    step: Step, rule: str, method: str, widgets: StepWidgets, shown: ShownControls
) -> str:
    """Draw the scope; under most rules it matters only whether layers have values of their own."""
    names = scopes_for(rule, method)
    if not shown.scope:
        return _kept(step.scope, names)
    if not shown.own_values and step.scope != OWN_VALUES:
        names = [name for name in names if name != OWN_VALUES]
    units_compete = bool(RULES[rule].scopes)
    key = widgets.scope if units_compete else widgets.own_values

    def label_of(name: str) -> str:
        if name == "global" and not units_compete:
            return "all alike"
        return SCOPE_LABELS.get(name, name)

    descriptions = []
    for name, text in SCOPES.items():
        descriptions.append(f"**{SCOPE_LABELS.get(name, name)}**: {text}.")
    descriptions.append("Most rules compare each score by itself: then layers do not compete.")
    return segments(
        "Scope",
        names,
        key,
        disabled=len(names) == 1,
        format_func=label_of,
        help="  \n".join(descriptions),
    )


def _help(registry: Registry | Mapping[str, Any], names: Sequence[str] | None = None) -> str:
    """Describe entries of a registry, one a line."""
    lines = []
    for name in registry if names is None else names:
        entry = registry[name]
        formula = getattr(entry, "formula", "")
        formula_text = f" ${formula}$" if formula else ""
        lines.append(f"**{entry.label}**{formula_text}: {entry.help}")
    return "  \n".join(lines)
