"""How much a step removes: the slider, the pattern or the table of values, and what they mean."""

import math
from dataclasses import replace

import numpy as np
import streamlit as st

from pages.controls import scoring
from pages.controls.layer_values import edit_values
from pages.state.session import choice, keep
from pruning.engine import prune as experiment
from pruning.methods.rules import RULES, Value, count_removed, summarize, value_for_count
from pruning.methods.units import METHODS
from pruning.recipe.recipe import Recipe, Step


def draw_value(before: Recipe, units: Recipe, rule: str, scope: str, amount: bool) -> Step:
    """The step, with the widget for its value; without ``amount`` the widget is left out and the value is as it was."""
    same = ("method", "grouping", "criterion", "measure")
    same_units = all(getattr(before, name) == getattr(units, name) for name in same)
    if scope != "custom":
        st.session_state.pop("table shape", None)
    if not amount or not scoring.ready(units):
        if amount:
            st.caption("The slider comes with the scores.")
            st.session_state["slider waits"] = True
        if same_units and rule == before.rule and scope == before.scope:
            return replace(before, layers=units.layers).step
        held = scope if rule == "sparsity" and scope != "custom" else "global"
        return replace(units, value=_share(before), scope=held).step
    if rule == before.rule and (same_units or rule == "sparsity" or RULES[rule].patterns):
        value = before.value
    else:  # another rule or other scores: as many go as before
        value = _same_share(units, rule, scope, _share(before))
    asked = replace(units, rule=rule, value=value, scope=scope)
    if scope == "custom":
        asked = replace(asked, values=tuple(edit_values(before, asked, same_units).items()))
    elif RULES[rule].patterns:
        asked = replace(asked, value=_options(rule, value))
    else:
        grid = _grid(asked)
        asked = replace(asked, value=_steps(asked, grid) if grid else _slider(asked))
    _views(asked)
    return asked.step


def _share(before: Recipe) -> float:
    """Which share of the units went so far."""
    if before.rule == "sparsity" and before.scope != "custom":
        return before.value
    if not experiment.scored(before):
        return 0.5
    return count_removed(experiment.select(before)) / max(1, experiment.ranking(before).units)


def _same_share(units: Recipe, rule: str, scope: str, share: float) -> Value:
    """The value of the rule that removes this share: threshold and sparsity are two views of one thing."""
    if rule == "sparsity":
        return float(f"{share:.4g}")
    if RULES[rule].patterns:
        return st.session_state.get("pattern", RULES[rule].patterns[0])
    ranking = experiment.ranking(units)
    value = value_for_count(
        RULES[rule], ranking, round(share * ranking.units), "layer" if scope == "custom" else scope
    )
    return max(RULES[rule].min_value, float(f"{value:.4g}"))


def _options(rule: str, value: str) -> str:
    return choice(
        RULES[rule].label,
        list(dict.fromkeys([*RULES[rule].patterns, value])),
        "pattern",
        help=f"${RULES[rule].formula}$",
    )


def _grid(asked: Recipe) -> list[float]:
    """Values for a slider of uneven steps, where an even one would be of no use; else none.

    Ratios have a geometric slider. Where half of the scores lie in the lowest hundredth of their range, which would be
    two steps of an even slider, each step takes about as many units.
    """
    ranking, rule = experiment.ranking(asked), RULES[asked.rule]
    scores = ranking.sorted_removable
    if rule.log_scale:
        grid = {
            float(f"{rule.interpolate(ranking, share):.3g}") for share in np.linspace(0, 1, 201)
        }
    elif len(scores) < 2 or not scores[len(scores) // 2] - scores[0] < 0.01 * (
        float(scores[-1]) - float(scores[0])
    ):
        return []
    elif asked.rule == "threshold":
        places = np.linspace(0, len(scores) - 1, 401).astype(int)
        grid = {float(f"{score:.4g}") for score in scores[places]} | {
            float(f"{1.001 * scores[-1]:.4g}")
        }
    elif asked.rule == "relative":
        grid = {float(f"{share:.3g}") for share in np.geomspace(1e-9, 1, 201)} | {0.0}
    else:
        return []
    return sorted(grid | {asked.value})


def _steps(asked: Recipe, grid: list[float]) -> float:
    shape = (asked.rule, asked.scoring)
    if st.session_state.get("slider shape") != shape or st.session_state.get("step") not in grid:
        st.session_state.update({"slider shape": shape, "step": asked.value})
    rule = RULES[asked.rule]
    return st.select_slider(
        rule.label,
        grid,
        format_func=lambda value: f"{value:.4g}",
        **keep("step"),
        help=f"${rule.formula}$. The steps are uneven, because most scores lie close together.",
    )


def _slider(asked: Recipe) -> float:
    rule = RULES[asked.rule]
    share = rule.max_value == 1.0
    low, high = (0.0, 1.0) if share else sorted(rule.value_range(experiment.ranking(asked)))
    step = 0.001 if share else 10.0 ** math.floor(math.log10(max(high - low, 1e-9) / 200))
    low, high = (
        (low, high) if share else (math.floor(low / step) * step, math.ceil(high / step) * step)
    )
    scale = 100.0 if share else 1.0  # shares are shown in percent
    shape = (asked.rule, asked.scoring, low, high, step)
    if st.session_state.get("slider shape") != shape or "value" not in st.session_state:
        st.session_state["slider shape"] = (
            shape  # a slider whose range changes forgets its value: tell it again
        )
        st.session_state["value"] = min(max(asked.value, low), high) * scale
    digits = max(0, -math.floor(math.log10(step * scale)))
    value = st.slider(
        rule.label,
        low * scale,
        high * scale,
        step=step * scale,
        format=f"%.{digits}f" + ("%%" if share else ""),
        help=f"${rule.formula}$",
        **keep("value"),
    )
    return min(high, max(low, round(value / scale, 9)))


def _views(asked: Recipe) -> None:
    """The same choice as a threshold, a percentile (the sparsity) and a multiple of sigma."""
    ranking, choice_now = experiment.ranking(asked), experiment.select(asked)
    seen, unit = summarize(ranking, choice_now), METHODS[asked.method].unit

    def span(low: float, high: float, form: str) -> str:
        low, high = form.format(low), form.format(high)
        return low if low == high else f"{low} to {high}"

    lines = [
        f"= **{seen.percentile:.2f}%** (percentile) of the {seen.units:,} {unit}s that take part"
    ]
    if not math.isnan(seen.lowest):
        lines = [f"Score below **{span(seen.lowest, seen.highest, '{:.4g}')}**", *lines]
    if not seen.units:
        lines = ["Earlier steps have left nothing for this one to remove."]
    if seen.sigmas and asked.criterion == "magnitude" and not math.isnan(seen.lowest):
        lines.append(f"= **{span(*seen.sigmas, '{:.2f}')}** σ of the layer's weights")
    st.caption("  \n".join(lines))
