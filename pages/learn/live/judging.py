"""Live parts about judging: the paired test, and what is chosen on test images."""

import streamlit as st

from pages.controls.accuracy_card import comparison_text
from pages.learn.live.base import (
    NETWORK,
    await_evaluations,
    await_result,
    dataset_of_lessons,
    draw_figure,
    key_of,
    live_part,
)
from pruning.experiments.pitfalls import best_seed
from pruning.figures.named_bars import alt_of_named_bars, named_bars
from pruning.figures.named_lines import alt_of_named_lines, named_lines
from pruning.inference.paired_test import PairedTest
from pruning.recipe.recipe import Recipe

SEEDS = 20
LEVELS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9)
COUNTS = (30, 60, 120)
MAX_IMAGES = 60


@live_part("paired_test")
def draw_paired_test() -> None:
    """Draw the exact test of McNemar for any counts."""
    part = "paired_test"
    left, right = st.columns(2)
    with left:
        lost = st.slider("Images lost by pruning", 0, MAX_IMAGES, 12, key=key_of(part, "lost"))
    with right:
        gained = st.slider("Images gained", 0, MAX_IMAGES, 8, key=key_of(part, "gained"))
    test = PairedTest(int(lost), int(gained))
    st.metric("p-value", f"{test.p_value:.3g}")
    st.caption(f"Explore would say: {comparison_text(test, 'dense')}.")


@live_part("accuracy_intervals")
def await_and_draw_accuracy_intervals() -> None:
    """Draw the accuracy at several sparsities with its interval."""
    part = "accuracy_intervals"
    recipes = [Recipe.one_step(NETWORK, dataset_of_lessons(), value=level) for level in LEVELS]
    evaluations = await_evaluations(part, recipes)
    if evaluations is None:
        return
    intervals = [each.accuracy.sample_interval for each in evaluations]
    series = {
        "test accuracy": [each.accuracy.value for each in evaluations],
        "95% interval, low": [low for low, _ in intervals],
        "95% interval, high": [high for _, high in intervals],
    }
    titles = {"x_title": "sparsity", "y_title": "test accuracy"}
    draw_figure(
        named_lines(LEVELS, series, **titles),
        part,
        alt_of_named_lines(LEVELS, series, *titles.values()),
    )
    dense = evaluations[0].accuracy
    st.caption(
        f"LeNet-5 by magnitude, without retraining; dense {dense.value:.2%} of {dense.images:,} "
        "test images, taken as a sample of such images. Is any value above the dense one outside "
        "its interval?"
    )


@live_part("chosen_on_test")
def await_and_draw_chosen_on_test() -> None:
    """Draw what the choice of the best of several seeds by a few test images promises."""
    part = "chosen_on_test"
    left, right = st.columns(2)
    with left:
        images = int(
            st.select_slider("Test images for the choice", COUNTS, 60, key=key_of(part, "images"))
        )
    with right:
        sparsity = st.slider("Sparsity (%)", 5, 30, 10, 5, key=key_of(part, "sparsity")) / 100
    recipe = Recipe.one_step("lenet5", "digits", criterion="random", value=sparsity)
    best = await_result(
        part, [recipe, images], lambda report: best_seed(recipe, SEEDS, images, report)
    )
    if best is None:
        return
    names = [
        f"the best, on the {images} images",
        f"the best, on {best.other_images} others",
        f"mean of all, on {best.other_images} others",
    ]
    series = {"": [best.reported, best.others, best.mean]}
    draw_figure(
        named_bars(names, series, title="accuracy", is_share=True),
        part,
        alt_of_named_bars(names, series, "accuracy"),
    )
    st.caption(
        f"LeNet-5 on the digits, {sparsity:.0%} of the weights removed at random with {SEEDS} "
        "seeds; the best by the chosen images."
    )
