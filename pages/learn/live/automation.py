"""Live parts about combined pruning: the order of steps, and where a budget is spent."""

from itertools import permutations

import streamlit as st

from pages.learn.live.base import (
    NETWORK,
    await_evaluations,
    dataset_of_lessons,
    draw_figure,
    key_of,
    live_part,
)
from pruning.engine.evaluation import Evaluation
from pruning.figures.named_bars import alt_of_named_bars, named_bars
from pruning.recipe.recipe import Recipe
from pruning.recipe.step import Step

LEVELS = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95)


@live_part("orders")
def await_and_draw_orders() -> None:
    """Draw accuracy and size for both orders of two steps."""
    part = "orders"
    columns = st.columns(2)
    with columns[0]:
        weights = st.slider("Weights (%)", 10, 90, 50, 10, key=key_of(part, "weights")) / 100
    with columns[1]:
        units = st.slider("Filters, neurons (%)", 10, 60, 20, 10, key=key_of(part, "units")) / 100
    steps = {
        "weights": Step(value=weights),
        "filters": Step(method="filter", scope="layer", value=units),
    }
    orders = list(permutations(steps))
    recipes = []
    for order in orders:
        recipes.append(
            Recipe(NETWORK, dataset_of_lessons(), steps=tuple(steps[name] for name in order))
        )
    evaluations = await_evaluations(part, recipes)
    if evaluations is None:
        return
    names = [", then ".join(order) for order in orders]
    _draw_orders(part, names, evaluations)


def _draw_orders(part: str, names: list[str], evaluations: tuple[Evaluation, ...]) -> None:
    left, right = st.columns(2)
    accuracies = {"": [each.accuracy.value for each in evaluations]}
    parameters = {"": [each.effective.parameters / 1000 for each in evaluations]}
    with left:
        draw_figure(
            named_bars(names, accuracies, title="test accuracy", is_share=True),
            part,
            alt_of_named_bars(names, accuracies, "test accuracy"),
            "accuracy",
        )
    with right:
        title = "effective parameters (thousands)"
        draw_figure(
            named_bars(names, parameters, title=title),
            part,
            alt_of_named_bars(names, parameters, title),
            "parameters",
        )
    st.caption(
        "The same two steps of LeNet-5 by magnitude, in both orders. A share is of what the step "
        "before has left. Layers can be a step, too: *Add a step* on Explore."
    )


@live_part("one_layer_at_a_time")
def await_and_draw_one_layer_at_a_time() -> None:
    """Draw the accuracy if a single layer is pruned."""
    part = "one_layer_at_a_time"
    level = st.select_slider("Weights removed in one layer", LEVELS, 0.9, key=key_of(part, "level"))
    layers = ("conv1", "conv2", "fc1", "fc2", "fc3")
    recipes = []
    for layer in layers:
        recipes.append(
            Recipe.one_step(NETWORK, dataset_of_lessons(), layers=(layer,), value=float(level))
        )
    evaluations = await_evaluations(part, recipes)
    if evaluations is None:
        return
    series = {"": [each.accuracy.value for each in evaluations]}
    draw_figure(
        named_bars(layers, series, title="test accuracy", is_share=True, axis_title="layer"),
        part,
        alt_of_named_bars(layers, series, "test accuracy"),
    )
    st.caption(
        f"LeNet-5 with {float(level):.0%} of the weights of one layer removed, all others dense. "
        "The page *Sensitivity* measures every layer at many levels, on validation images."
    )
