"""Live parts about single weights: rules on a small matrix, and penalties."""

import math

import streamlit as st

from pages.learn.live.base import draw_figure, key_of, live_part
from pruning.experiments.toys import (
    NEAR_ZERO,
    PENALTIES,
    penalty_results,
    select_toy,
    toy_matrix,
    toy_ranking,
)
from pruning.figures.named_lines import alt_of_named_lines, named_lines
from pruning.figures.weight_matrix import alt_of_weight_matrix, weight_matrix
from pruning.methods.rules import RULES

TOY_RULES = ("threshold", "relative", "sigma", "mean_std", "max_over_n", "sparsity", "n_m")


@live_part("toy_matrix")
def draw_toy_matrix() -> None:
    """Draw a matrix of 24 weights under any rule."""
    part = "toy_matrix"
    left, right = st.columns([1, 2], gap="large")
    with left:
        name = st.selectbox(
            "Rule",
            TOY_RULES,
            format_func=lambda each: RULES[each].label,
            key=key_of(part, "rule"),
        )
        value = _draw_value(part, name)
        st.markdown(f"${RULES[name].formula}$")
    weights = toy_matrix()
    selected = select_toy(weights, name, value)
    removed = int(selected.removed.sum())
    with right:
        draw_figure(
            weight_matrix(weights, selected.removed), part, alt_of_weight_matrix(selected.removed)
        )
    threshold = ""
    if not math.isnan(selected.threshold):
        threshold = f" Threshold: {selected.threshold:.3g}."
    text = f"**{removed} of {weights.size}** weights are removed.{threshold}"
    if name == "max_over_n":
        text += f" Some texts call n = {value:g} the number to prune."
    st.markdown(text)


def _draw_value(part: str, name: str) -> float | str:
    rule = RULES[name]
    key = key_of(part, name)
    if rule.patterns:
        return str(st.selectbox("Pattern", rule.patterns, key=key))
    low, high = rule.value_range(toy_ranking(toy_matrix()))
    low, high = max(low, rule.min_value), min(high, rule.max_value)
    if name == "max_over_n":
        return float(st.slider("n", 1, 24, 6, key=key))
    if name == "mean_std":  # a larger k removes fewer
        return float(st.slider("k", -1.0, 3.0, 2.0, 0.1, key=key))
    return float(st.slider(rule.label, float(low), float(high), float((low + high) / 4), key=key))


@live_part("penalties")
def draw_penalties() -> None:
    """Draw what L1 and L2 penalties do to the weights of a classifier."""
    part = "penalties"
    results = penalty_results()
    shares, accuracies = {}, {}
    for name in ("L1", "L2"):
        chosen = [result for result in results if result.penalty == name]
        shares[name] = [result.near_zero for result in chosen]
        accuracies[name] = [result.validation_accuracy for result in chosen]
    titles = {
        f"share of |w| < {NEAR_ZERO:g}": shares,
        "accuracy on validation images": accuracies,
    }
    x_title = "strength of the penalty"
    for column, (title, series) in zip(st.columns(2), titles.items(), strict=True):
        with column:
            draw_figure(
                named_lines(
                    PENALTIES, series, x_title=x_title, y_title=title, is_share=True, log_x=True
                ),
                part,
                alt_of_named_lines(PENALTIES, series, x_title, title),
                title,
            )
    st.caption(
        "A linear classifier of the digits 3 and 8, trained now with scikit-learn: half of the "
        "images for training, half for validation."
    )
