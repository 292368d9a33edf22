"""Sliders for the value of a rule: even steps in percent or in numbers, or uneven steps."""

import math
from dataclasses import dataclass

import numpy as np
import streamlit as st

from pages.state.session import SessionState, session
from pages.state.widgets import persistent
from pruning.engine.prune import rank_units
from pruning.methods.ranking import Ranking
from pruning.methods.rules import RULES, Rule
from pruning.methods.units import METHODS
from pruning.recipe.recipe import Recipe
from pruning.recipe.step import Step

PERCENT_STEP = 0.001
NUMERIC_STEPS = 200
"""Approximate number of steps of a slider of numbers."""
SKEWED_SHARE = 0.01
"""Scores are skewed if half of them lie in so small a share of their range."""
LOG_STEPS = 201
QUANTILE_STEPS = 401
SMALLEST_RELATIVE = 1e-9


@dataclass(frozen=True)
class EvenRange:
    """Range of a slider with even steps.

    Parameters
    ----------
    low, high, step : float
        In units of the rule's value.
    scale : float
        Displayed value / value of the rule: 100 for percent.
    suffix : str
        Text after the displayed value, as for ``printf``.
    """

    low: float
    high: float
    step: float
    scale: float = 1.0
    suffix: str = ""

    @property
    def digits(self) -> int:
        """Number of displayed decimal places."""
        return max(0, -math.floor(math.log10(self.step * self.scale)))


def slider_label(step: Step) -> str:
    """Return the label of a slider: the rule's label, and of what a sparsity is the share.

    Parameters
    ----------
    step : Step
        The step.

    Returns
    -------
    str
        Such as "Sparsity (share of filters)"; a sparsity of weights needs no addition.
    """
    label, units = RULES[step.rule].label, units_of_sparsity(step)
    return f"{label} (share of {units})" if units else label


def units_of_sparsity(step: Step) -> str:
    """Return of what the value of a step is the share, where its name does not say it.

    Parameters
    ----------
    step : Step
        The step.

    Returns
    -------
    str
        Such as "filters"; empty for a sparsity of weights, and for values that are no sparsities.
    """
    method = METHODS[step.method]
    if step.rule != "sparsity" or method.units_are_weights:
        return ""
    return f"{method.unit_in(step.grouping)}s"


def draw_percent(shown_recipe: Recipe, recipe: Recipe) -> Recipe:
    """Draw a slider from 0 to 100%.

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
    return _draw_even(recipe, EvenRange(0.0, 1.0, PERCENT_STEP, scale=100.0, suffix="%%"))


def draw_numeric(shown_recipe: Recipe, recipe: Recipe) -> Recipe:
    """Draw a slider over the range of values that make a difference, in about 200 steps.

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
    low, high = sorted(RULES[recipe.last_step.rule].value_range(rank_units(recipe)))
    exponent = math.floor(math.log10(max(high - low, 1e-9) / NUMERIC_STEPS))
    step = 10.0**exponent
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    return _draw_even(recipe, EvenRange(low, high, step))


def draw_uneven(shown_recipe: Recipe, recipe: Recipe) -> Recipe:
    """Draw a slider with uneven steps.

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
    step = recipe.last_step
    rule, value = RULES[step.rule], float(step.value)
    grid = sorted({*_grid(recipe), value})
    shape = (step.rule, recipe.scoring_key)
    key = SessionState.step.key
    if session.slider_shape != shape or session.step not in grid:
        session.slider_shape, session.step = shape, value
    chosen = st.select_slider(
        slider_label(step),
        grid,
        format_func=lambda value: f"{value:.4g}",
        help=f"${rule.formula}$. The steps are uneven, because most scores lie close together.",
        **persistent(key),
    )
    return recipe.with_last_step(value=chosen)


def has_uneven_steps(recipe: Recipe) -> bool:
    """Return whether even steps would be of little use.

    Ratios need a log scale. Where half of the scores lie in the lowest hundredth of their range,
    which would be two steps of an even slider, each step removes about as many units.

    Parameters
    ----------
    recipe : Recipe
        A recipe whose scores are available.

    Returns
    -------
    bool
        Whether `draw_uneven` fits.
    """
    rule = RULES[recipe.last_step.rule]
    if rule.log_scale:
        return True
    if not rule.value_is_score and not _is_relative_to_scores(rule):
        return False
    return _is_skewed(rank_units(recipe))


def _is_relative_to_scores(rule: Rule) -> bool:
    """Whether the value is a share of a score, which is defined only if no score is negative."""
    return rule.max_value == 1 and rule.needs_nonnegative


def _is_skewed(ranking: Ranking) -> bool:
    count = ranking.removable
    if count < 2:
        return False
    lowest, middle, highest = (float(ranking.score_at(rank)) for rank in (0, count // 2, count - 1))
    return middle - lowest < SKEWED_SHARE * (highest - lowest)


def _grid(recipe: Recipe) -> set[float]:
    """Return the values of a slider with uneven steps, rounded."""
    rule, ranking = RULES[recipe.last_step.rule], rank_units(recipe)
    if rule.log_scale:
        shares = np.linspace(0, 1, LOG_STEPS)
        return {_rounded(rule.interpolate(ranking, share), 3) for share in shares}
    if rule.value_is_score:
        ranks = np.linspace(0, ranking.removable - 1, QUANTILE_STEPS).astype(int)
        scores = [ranking.score_at(rank) for rank in ranks]
        above_highest = scores[-1] + 0.001 * abs(scores[-1])
        return {_rounded(score, 4) for score in (*scores, above_highest)}
    shares = np.geomspace(SMALLEST_RELATIVE, 1, LOG_STEPS)
    return {0.0, *(_rounded(share, 3) for share in shares)}


def _rounded(value: float, digits: int) -> float:
    """Round to some significant digits."""
    return float(f"{value:.{digits}g}")


def _draw_even(recipe: Recipe, even: EvenRange) -> Recipe:
    step, scale = recipe.last_step, even.scale
    shape = (step.rule, recipe.scoring_key, even.low, even.high, even.step)
    if session.slider_shape != shape or session.value is None:
        # A slider whose range changes loses its value.
        session.slider_shape = shape
        session.value = min(max(float(step.value), even.low), even.high) * scale
    chosen = st.slider(
        slider_label(step),
        even.low * scale,
        even.high * scale,
        step=even.step * scale,
        format=f"%.{even.digits}f{even.suffix}",
        help=f"${RULES[step.rule].formula}$",
        **persistent(SessionState.value.key),
    )
    value = _rounded(chosen / scale, 9)  # without the rounding error of the division
    value = min(even.high, max(even.low, value))
    return recipe.with_last_step(value=value)
