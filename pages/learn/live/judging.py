"""Live parts about judging: the paired test, and what is chosen on test images."""

import streamlit as st

from pages.controls.accuracy_card import comparison_text
from pages.learn.live.base import (
    await_result,
    draw_figure,
    key_of,
    live_part,
)
from pruning.experiments.pitfalls import choose_on_test
from pruning.figures.named_bars import alt_of_named_bars, named_bars
from pruning.inference.paired_test import PairedTest
from pruning.recipe.recipe import Recipe

SEEDS = 20
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
    st.caption(f"The page would say: {comparison_text(test, 'dense')}.")


@live_part("chosen_on_test")
def await_and_draw_chosen_on_test() -> None:
    """Draw what the choice of the best of several seeds on test images pretends."""
    part = "chosen_on_test"
    sparsity = st.slider("Sparsity (%)", 10, 60, 30, 10, key=key_of(part, "sparsity")) / 100
    recipe = Recipe.one_step("lenet5", "digits", criterion="random", value=sparsity)
    chosen = await_result(part, [recipe], lambda report: choose_on_test(recipe, SEEDS, report))
    if chosen is None:
        return
    names = ["mean of all", "best on validation images", "best on test images"]
    series = {"": [float(chosen.test.mean()), chosen.honest, chosen.optimistic]}
    draw_figure(
        named_bars(names, series, title="test accuracy", is_share=True),
        part,
        alt_of_named_bars(names, series, "test accuracy"),
    )
    st.caption(
        f"LeNet-5 on the digits, {sparsity:.0%} of the weights removed at random with {SEEDS} "
        "seeds. Nothing distinguishes the seeds but luck: what the choice on test images adds is "
        "not there for other images."
    )
