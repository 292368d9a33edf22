"""Live parts about criteria: a squared error by hand, and criteria on a real network."""

import streamlit as st

from pages.learn.live.base import (
    NETWORK,
    await_evaluations,
    dataset_of_lessons,
    draw_figure,
    is_presented,
    key_of,
    live_part,
)
from pruning.experiments.toys import squared_error_example
from pruning.figures.named_bars import alt_of_named_bars, named_bars
from pruning.methods.criteria import CRITERIA
from pruning.recipe.recipe import Recipe

STEPS = (0, 1, 3, 10, 30, 100, 1000)
WEIGHT_CRITERIA = ("magnitude", "lamp", "wanda", "gradient", "taylor", "fisher", "random")
CALIBRATION = 256


@live_part("squared_error")
def draw_squared_error() -> None:
    """Draw the scores of four weights of a linear neuron during its training."""
    part = "squared_error"
    steps = st.select_slider("Training steps", STEPS, 3, key=key_of(part, "steps"))
    trained = squared_error_example().trained(int(steps))
    names = [f"w{index + 1}" for index in range(len(trained.weights))]
    weights = [
        f"{name} = {weight:.2f}" for name, weight in zip(names, trained.weights, strict=True)
    ]
    st.caption(f"After {steps} steps: {', '.join(weights)}.")
    saliencies = trained.saliencies
    columns = st.columns(5) if is_presented() else [*st.columns(3), *st.columns(3)]
    for column, name in zip(columns, saliencies, strict=False):
        values = saliencies[name].tolist()
        lowest = names[int(saliencies[name].argmin())]
        title = "change of the loss" if name == "exact" else name
        with column:
            draw_figure(
                named_bars(names, {name: values}, title=title),
                part,
                alt_of_named_bars(names, {name: values}, title),
                name,
            )
            st.caption(f"{title}: **{lowest}** is removed first")
    st.caption(
        f"Loss {trained.loss:.4f}. The last figure is exact: the loss without the weight minus the "
        "loss."
    )


@live_part("criteria_compared")
def await_and_draw_criteria_compared() -> None:
    """Draw the accuracy of LeNet-5 at one sparsity, pruned by several criteria."""
    part = "criteria_compared"
    sparsity = st.slider("Sparsity (%)", 50, 95, 80, 5, key=key_of(part, "sparsity")) / 100
    recipes = []
    for criterion in WEIGHT_CRITERIA:
        recipes.append(
            Recipe.one_step(
                NETWORK,
                dataset_of_lessons(),
                criterion=criterion,
                value=sparsity,
                calibration=CALIBRATION,
            )
        )
    evaluations = await_evaluations(part, recipes)
    if evaluations is None:
        return
    names = [CRITERIA[criterion].label for criterion in WEIGHT_CRITERIA]
    series = {"accuracy": [each.accuracy.value for each in evaluations]}
    draw_figure(
        named_bars(names, series, title="test accuracy", is_share=True),
        part,
        alt_of_named_bars(names, series, "test accuracy"),
    )
    st.caption(
        f"LeNet-5, {sparsity:.0%} of all weights removed by each criterion, without retraining; "
        f"{evaluations[0].accuracy.images:,} test images."
    )
