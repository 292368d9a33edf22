"""Live parts about what follows pruning: schedules, recovery, and weights that come back."""

import numpy as np
import streamlit as st

from pages.learn.live.base import (
    NETWORK,
    await_evaluations,
    await_result,
    dataset_of_lessons,
    draw_figure,
    key_of,
    live_part,
)
from pruning.engine.prune import prune
from pruning.experiments.pitfalls import revive_weights
from pruning.figures.named_bars import alt_of_named_bars, named_bars
from pruning.figures.named_lines import alt_of_named_lines, named_lines
from pruning.recipe.recipe import Recipe
from pruning.training.amount import cubic, everything, geometric

EPOCHS = 10
CALIBRATION = 512


@live_part("schedules")
def draw_schedules() -> None:
    """Draw the sparsity during a run of several schedules."""
    part = "schedules"
    target = st.slider("Sparsity at the end (%)", 50, 98, 90, key=key_of(part, "target")) / 100
    rounds = int(st.slider("Rounds", 2, 8, 5, key=key_of(part, "rounds")))
    positions = np.linspace(0, EPOCHS, 201)
    iterative, gradual = [], []
    for position in positions:
        done = min(rounds, 1 + int(position / EPOCHS * rounds))
        iterative.append(geometric(done / rounds)(target))
        gradual.append(cubic(min(1.0, position / (0.75 * EPOCHS)))(target))
    series = {
        "one-shot": [everything(target)] * len(positions),
        f"iterative, {rounds} rounds": iterative,
        "gradual": gradual,
    }
    titles = {"x_title": "epoch", "y_title": "sparsity"}
    draw_figure(
        named_lines(positions.tolist(), series, is_share=True, stepped=True, **titles),
        part,
        alt_of_named_lines(positions.tolist(), series, "epoch", "sparsity"),
    )
    st.caption("The laws by which the page *Retrain* prunes.")


@live_part("recovered")
def await_and_draw_recovered() -> None:
    """Draw the accuracy before and after a fit of the remaining weights."""
    part = "recovered"
    share = st.slider(
        "Filters removed in each layer (%)", 10, 80, 30, 10, key=key_of(part, "share")
    )
    options = {"method": "filter", "scope": "layer", "value": share / 100}
    masked = Recipe.one_step(NETWORK, dataset_of_lessons(), **options)
    fitted = Recipe.one_step(
        NETWORK,
        dataset_of_lessons(),
        recovery=("reconstruct",),
        calibration=CALIBRATION,
        **options,
    )
    single = Recipe.one_step(NETWORK, dataset_of_lessons(), value=round(prune(masked).sparsity, 4))
    evaluations = await_evaluations(part, [masked.unpruned, single, masked, fitted])
    if evaluations is None:
        return
    names = ["dense", "single weights, as many", "filters", "filters, and the rest fitted"]
    series = {"": [each.accuracy.value for each in evaluations]}
    draw_figure(
        named_bars(names, series, title="test accuracy", is_share=True),
        part,
        alt_of_named_bars(names, series, "test accuracy"),
    )
    st.caption(
        f"The fit uses {CALIBRATION} training images without their labels, and takes "
        f"{evaluations[3].recovery_seconds or 0:.2f} s."
    )


@live_part("revived")
def await_and_draw_revived() -> None:
    """Draw how many pruned weights come back in training."""
    part = "revived"
    revival = await_result(part, [], lambda report: revive_weights())
    if revival is None:
        return
    steps = list(range(len(next(iter(revival.alive.values())))))
    series = {name: counts.tolist() for name, counts in revival.alive.items()}
    titles = {
        "x_title": "steps of the optimizer",
        "y_title": "pruned weights that are not zero",
    }
    draw_figure(
        named_lines(steps, series, **titles),
        part,
        alt_of_named_lines(steps, series, *titles.values()),
    )
    st.caption(
        f"A linear classifier of the digits after training: {revival.pruned:,} of its weights are "
        "pruned, and it is trained on with the same SGD, momentum 0.9 and weight decay. The first "
        "two lines coincide: one step of momentum moves every pruned weight."
    )
