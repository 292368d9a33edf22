"""Live parts about scopes: what competes, and what is counted."""

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
from pruning.experiments.pitfalls import sparsity_counts
from pruning.figures.named_bars import alt_of_named_bars, named_bars
from pruning.recipe.recipe import Recipe

SCOPE_NAMES = {"global": "global", "layer": "layer", "erk": "ERK"}


@live_part("scopes")
def await_and_draw_scopes() -> None:
    """Draw the sparsity of each layer, and the accuracy, in three scopes."""
    part = "scopes"
    sparsity = st.slider("Sparsity (%)", 10, 98, 90, 2, key=key_of(part, "sparsity")) / 100
    recipes = []
    for scope in SCOPE_NAMES:
        recipes.append(Recipe.one_step(NETWORK, dataset_of_lessons(), scope=scope, value=sparsity))
    evaluations = await_evaluations(part, recipes)
    if evaluations is None:
        return
    columns = st.columns(len(recipes))
    series, layers = {}, []
    for column, name, recipe, evaluation in zip(
        columns, SCOPE_NAMES.values(), recipes, evaluations, strict=True
    ):
        table = prune(recipe).layer_table
        layers = table["name"].tolist()
        series[name] = table["sparsity"].tolist()
        column.metric(f"Test accuracy, {name}", f"{evaluation.accuracy.value:.2%}")
    draw_figure(
        named_bars(layers, series, title="sparsity of the layer", is_share=True),
        part,
        alt_of_named_bars(layers, series, "sparsity of the layer"),
    )
    st.caption(f"LeNet-5 by magnitude; {sparsity:.0%} of all weights are removed in each scope.")


@live_part("counting")
def await_and_draw_counting() -> None:
    """Draw the sparsity of one network, counted in several ways."""
    part = "counting"
    share = st.slider(
        "Filters removed in each layer (%)", 10, 80, 50, 10, key=key_of(part, "share")
    )
    recipe = Recipe.one_step(
        NETWORK, dataset_of_lessons(), method="filter", scope="layer", value=share / 100
    )
    counts = await_result(part, [recipe], lambda report: sparsity_counts(recipe))
    if counts is None:
        return
    rows = []
    for count in counts:
        rows.append(
            {
                "counted as": count.name,
                "sparsity": count.share,
                "removed": count.removed,
                "of": count.total,
            }
        )
    number = st.column_config.NumberColumn
    config = {
        "sparsity": number(format="percent"),
        "removed": number(format="localized"),
        "of": number(format="localized"),
    }
    st.dataframe(rows, hide_index=True, column_config=config)
