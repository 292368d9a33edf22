"""Live parts about units: biases that stay, layers, and input pixels."""

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
from pruning.data import datasets
from pruning.engine.prune import prune
from pruning.experiments.pitfalls import living_biases
from pruning.figures.image_mask import alt_of_image_mask, image_mask
from pruning.figures.named_bars import alt_of_named_bars, named_bars
from pruning.methods.ranking import Ranking
from pruning.recipe.recipe import Recipe

CALIBRATION = 256


@live_part("living_biases")
def await_and_draw_living_biases() -> None:
    """Draw what happens if the biases of removed filters stay."""
    part = "living_biases"
    share = st.slider(
        "Filters removed in each layer (%)", 10, 80, 30, 10, key=key_of(part, "share")
    )
    recipe = Recipe.one_step(
        NETWORK, dataset_of_lessons(), method="filter", scope="layer", value=share / 100
    )
    result = await_result(part, [recipe], lambda report: living_biases(recipe))
    if result is None:
        return
    rows = [
        {
            "what is set to zero": "weights only",
            "test accuracy": result.accuracy,
            "largest difference of a logit": f"{result.difference:.3g}",
        },
        {
            "what is set to zero": "weights and biases",
            "test accuracy": result.masked_accuracy,
            "largest difference of a logit": f"{result.masked_difference:.3g}",
        },
    ]
    percent = st.column_config.NumberColumn(format="percent")
    st.dataframe(rows, hide_index=True, column_config={"test accuracy": percent})
    st.caption(
        "Differences from the network in which the filters are physically removed: only with the "
        "biases do the masks describe that network."
    )


@live_part("layer_removal")
def await_and_draw_layer_removal() -> None:
    """Draw what each layer, or each residual block, is worth."""
    part = "layer_removal"
    networks = {"ResNet-20": "resnet20", "LeNet-5": NETWORK}
    label = st.segmented_control(
        "Network", list(networks), default="ResNet-20", required=True, key=key_of(part, "network")
    )
    network = networks[str(label)]
    dataset = dataset_of_lessons() if network == NETWORK else "digits"
    recipe = Recipe.one_step(
        network,
        dataset,
        method="layer",
        criterion="loss_change",
        value=0.0,
        calibration=CALIBRATION,
    )
    ranking = await_result(part, [recipe], lambda report: prune(recipe, report).ranking)
    if ranking is None:
        return
    scores, names = _layer_scores(ranking, recipe)
    series = {"": scores.tolist()}
    draw_figure(
        named_bars(names, series, title="change of the loss"),
        part,
        alt_of_named_bars(names, series, "change of the loss"),
    )
    st.caption(
        f"Mean loss on {CALIBRATION} training images without the layer or block minus the loss "
        "with it. Plain layers are bridged by a fit of the next one; a residual block leaves its "
        "shortcut. Blocks that change the size have no plain shortcut and cannot be removed, nor "
        "can the first and the last layer of LeNet-5."
    )


def _layer_scores(ranking: Ranking, recipe: Recipe) -> tuple[np.ndarray, list[str]]:
    [(group, ranked)] = ranking.items()
    units = prune(recipe).groups[group]
    known = np.sort(ranked.order)
    return ranked.scores[known], [units.label(int(unit)) for unit in known]


@live_part("pixel_entropy")
def await_and_draw_pixel_entropy() -> None:
    """Draw which pixels are removed, and at what accuracy, beside the random control."""
    part = "pixel_entropy"
    share = st.slider("Pixels removed (%)", 0, 95, 50, 5, key=key_of(part, "share")) / 100
    recipes = {}
    for label, criterion in (("least informative first", "class_entropy"), ("at random", "random")):
        recipes[label] = Recipe.one_step(
            NETWORK,
            dataset_of_lessons(),
            method="feature",
            criterion=criterion,
            value=share,
            calibration=CALIBRATION,
        )
    evaluations = await_evaluations(part, list(recipes.values()))
    if evaluations is None:
        return
    image = datasets.load(dataset_of_lessons(), "test").pixels[0].numpy()
    columns = st.columns(2)
    for column, (label, recipe), evaluation in zip(
        columns, recipes.items(), evaluations, strict=True
    ):
        kept = prune(recipe).masks["input"].numpy()
        with column:
            st.metric(f"Test accuracy, {label}", f"{evaluation.accuracy.value:.2%}")
            draw_figure(image_mask(image, kept), part, alt_of_image_mask(kept), label)


@live_part("unit_entropy")
def await_and_draw_unit_entropy() -> None:
    """Draw the accuracy if neurons are removed by either entropy, and at random."""
    part = "unit_entropy"
    share = st.slider("Neurons removed in each layer (%)", 0, 90, 50, 10, key=key_of(part, "share"))
    criteria = {
        "entropy of the activation": ("activation_entropy", ""),
        "entropy of the class": ("class_entropy", "entropy"),
        "Gini impurity of the class": ("class_entropy", "gini"),
        "random": ("random", ""),
    }
    recipes = []
    for criterion, variant in criteria.values():
        recipes.append(
            Recipe.one_step(
                NETWORK,
                dataset_of_lessons(),
                method="neuron",
                criterion=criterion,
                variant=variant,
                scope="layer",
                value=share / 100,
                calibration=CALIBRATION,
            )
        )
    evaluations = await_evaluations(part, recipes)
    if evaluations is None:
        return
    series = {"": [each.accuracy.value for each in evaluations]}
    draw_figure(
        named_bars(list(criteria), series, title="test accuracy", is_share=True),
        part,
        alt_of_named_bars(list(criteria), series, "test accuracy"),
    )
    st.caption(
        f"LeNet-5 without {share}% of the neurons and channels of each layer, low scores first; "
        "without retraining."
    )
