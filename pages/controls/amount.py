"""How much a step removes: the widget that fits the rule, and what its value means."""

import math
from collections.abc import Callable

import streamlit as st

from pages.controls.layer_values import draw_per_layer
from pages.controls.sliders import draw_numeric, draw_percent, draw_uneven, has_uneven_steps
from pages.state.session import SessionState, session
from pages.state.widgets import select
from pruning.engine.prune import has_cached_scores, prune, rank_units
from pruning.engine.pruned_network import PrunedNetwork
from pruning.methods.rules import RULES
from pruning.methods.selection import Value, value_for_count
from pruning.methods.units import METHODS
from pruning.recipe.compatibility import rules_for
from pruning.recipe.recipe import Recipe
from pruning.recipe.step import Step

UNKNOWN_SHARE = 0.5
"""Share of units to remove where the previous step has no scores."""

AmountControl = Callable[[Recipe, Recipe], Recipe]
"""``control(shown_recipe, recipe)`` draws a widget that begins with the value of ``recipe``, and
returns the recipe with the chosen value."""


def draw_amount(shown_recipe: Recipe, base: Recipe, rule: str, scope: str) -> Recipe:
    """Draw the widget for the value of a rule.

    Parameters
    ----------
    shown_recipe : Recipe
        The recipe that the last run of the page showed.
    base : Recipe
        The recipe with the choices of this run and any value; its scores are available.
    rule, scope : str
        Names in ``RULES`` and ``SCOPES``.

    Returns
    -------
    Recipe
        ``base`` with the rule, the scope and the chosen value.
    """
    if scope != "custom":
        session.table_shape = None
    value = _initial_value(shown_recipe, base, rule, scope)
    recipe = base.with_last_step(rule=rule, value=value, scope=scope, values=())
    return choose_control(recipe)(shown_recipe, recipe)


def choose_control(recipe: Recipe) -> AmountControl:
    """Choose the widget for the value of the last step, by the properties of its rule.

    Parameters
    ----------
    recipe : Recipe
        A recipe whose scores are available.

    Returns
    -------
    AmountControl
        One control for each kind of value.
    """
    step = recipe.last_step
    rule = RULES[step.rule]
    if step.scope == "custom":
        return draw_per_layer
    if rule.patterns:
        return draw_pattern
    if has_uneven_steps(recipe):
        return draw_uneven
    if rule.max_value == 1:
        return draw_percent
    return draw_numeric


def draw_pattern(shown_recipe: Recipe, recipe: Recipe) -> Recipe:
    """Draw a select box of patterns such as 2:4.

    Parameters
    ----------
    shown_recipe : Recipe
        The recipe that the last run of the page showed.
    recipe : Recipe
        The recipe with the value to begin with.

    Returns
    -------
    Recipe
        With the chosen value.
    """
    rule, value = RULES[recipe.last_step.rule], str(recipe.last_step.value)
    patterns = list(dict.fromkeys([*rule.patterns, value]))
    key = SessionState.pattern.key
    chosen = select(rule.label, patterns, key, help=f"${rule.formula}$")
    return recipe.with_last_step(value=chosen)


def amount_without_scores(shown_recipe: Recipe, base: Recipe, rule: str, scope: str) -> Recipe:
    """Choose the amount without drawing a widget, while the scores are not available.

    Parameters
    ----------
    shown_recipe, base, rule, scope
        As of `draw_amount`; scores are not needed.

    Returns
    -------
    Recipe
        With the previous value if the choices are the same; else with the rule sparsity and the
        previous share of units.
    """
    step = shown_recipe.last_step
    if step.has_same_scores(base.last_step) and (rule, scope) == (step.rule, step.scope):
        return shown_recipe.with_last_step(layers=base.last_step.layers)
    keeps_scope = rule == "sparsity" and scope != "custom"
    return base.with_last_step(
        rule="sparsity",
        value=_removed_share(shown_recipe),
        scope=scope if keeps_scope else "global",
        values=(),
    )


def scores_are_weights(step: Step) -> bool:
    """Return whether the scores of a step are absolute weights, so that thresholds are weights.

    Parameters
    ----------
    step : Step
        A canonical step.

    Returns
    -------
    bool
        Whether the rule Sigma is defined, which compares scores with weights.
    """
    return "sigma" in rules_for(step.method, step.criterion)


def draw_summary(pruned: PrunedNetwork) -> None:
    """Draw the selection of the last step as a threshold, a percentile and multiples of sigma.

    Parameters
    ----------
    pruned : PrunedNetwork
        The result of the recipe up to the step that the sidebar shows.
    """
    summary, step = pruned.summary, pruned.recipe.last_step
    if not summary.units:
        st.caption("Previous steps have removed all units that this step could remove.")
        return
    has_threshold = not math.isnan(summary.lowest)
    lines = []
    if has_threshold:
        span = _span(f"{summary.lowest:.4g}", f"{summary.highest:.4g}")
        lines.append(f"Score below **{span}**")
    unit = METHODS[step.method].unit_in(step.grouping)
    lines.append(
        f"= **{summary.percentile:.2f}%** (percentile) of the {summary.units:,} {unit}s that take "
        "part"
    )
    if summary.sigmas and has_threshold and scores_are_weights(step):
        lowest, highest = summary.sigmas
        span = _span(f"{lowest:.2f}", f"{highest:.2f}")
        lines.append(f"= **{span}** σ of the layer's weights")  # noqa: RUF001
    st.caption("  \n".join(lines))


def _span(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _initial_value(shown_recipe: Recipe, base: Recipe, rule: str, scope: str) -> Value:
    """Keep the value where it means the same; else remove as many units as before."""
    step = shown_recipe.last_step
    same_scores = step.has_same_scores(base.last_step)
    if rule == step.rule and (same_scores or rule == "sparsity" or RULES[rule].patterns):
        return step.value
    return _value_for_share(base, rule, scope, _removed_share(shown_recipe))


def _removed_share(recipe: Recipe) -> float:
    """Return the share of the units that the last step of a recipe removes."""
    step = recipe.last_step
    if step.rule == "sparsity" and step.scope != "custom":
        return float(step.value)
    if not has_cached_scores(recipe):
        return UNKNOWN_SHARE
    return prune(recipe).removed_share


def _value_for_share(base: Recipe, rule: str, scope: str, share: float) -> Value:
    """Return the value of a rule that removes this share of the units."""
    if rule == "sparsity":
        return float(f"{share:.4g}")
    patterns = RULES[rule].patterns
    if patterns:
        return session.pattern or patterns[0]
    ranking = rank_units(base)
    count = round(share * ranking.units)
    value = value_for_count(RULES[rule], ranking, count, "layer" if scope == "custom" else scope)
    return max(RULES[rule].min_value, float(f"{value:.4g}"))
