"""The distribution of weights or scores, and what is removed of them."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from pages.controls.amount import scores_are_weights
from pages.explore.live_threshold import can_be_dragged, draw_live_threshold
from pages.explore.picture import Picture, draw_picture_of_a
from pages.state.session import SessionState, session
from pages.state.url import ALL_LAYERS
from pages.state.widgets import CHART, persistent, segments, select
from pruning.engine.pruned_network import PrunedNetwork
from pruning.figures.histogram import alt_of_histogram, histogram
from pruning.figures.layer_scores import ScoredLayer, alt_of_layer_scores, layer_scores
from pruning.methods.criteria import CRITERIA
from pruning.methods.units import METHODS
from pruning.models import prunable

WEIGHTS, SCORES = "Weights", "Scores"
HISTOGRAM_CHART = "histogram of weights"
HISTOGRAM_OF_A = "histogram of A"

KnownAccuracies = Sequence[tuple[float, float]]
"""Values of the rule that have been measured, with their accuracies."""


def draw_histogram(
    pruned: PrunedNetwork, known: KnownAccuracies, network_a: PrunedNetwork | None = None
) -> None:
    """Draw the distribution of the weights, or of the scores of the last step.

    Parameters
    ----------
    pruned : PrunedNetwork
        The result of a recipe.
    known : sequence of (float, float)
        Shown while the threshold is dragged.
    network_a : PrunedNetwork, optional
        State A: an outline of what it keeps if it has the same values, else a histogram of its own.
    """
    method = pruned.recipe.last_step.method
    if session.histogram_of is None or session.histogram_method != method:
        session.histogram_of = WEIGHTS if METHODS[method].units_are_weights else SCORES
        session.histogram_method = method
    heading, control = st.columns([3, 2], vertical_alignment="center")
    heading.markdown("## Distribution")
    chosen = segments(
        "Histogram of",
        [WEIGHTS, SCORES],
        SessionState.histogram_of.key,
        control,
        label_visibility="collapsed",
    )
    if chosen == WEIGHTS:
        _draw_weights(pruned, known, network_a)
    elif not pruned.ranking:
        st.caption("Earlier steps have removed all units that this step could score.")
    elif _has_named_units(pruned):
        _draw(_named_scores(pruned))
        if network_a is not None:
            _draw_scores_of_a(network_a, log=False)
    else:
        _draw_scores(pruned, known, network_a)


def _draw(picture: Picture) -> None:
    st.plotly_chart(picture.figure, key=HISTOGRAM_CHART, alt=picture.alt, **CHART)


def _draw_weights(
    pruned: PrunedNetwork, known: KnownAccuracies, network_a: PrunedNetwork | None
) -> None:
    layer, log = _draw_histogram_controls(list(prunable(pruned.model)))
    kept_in_a = None
    if network_a is not None and _has_same_weights(pruned, network_a):
        values_of_a, kept_of_a = network_a.weights(layer)
        kept_in_a = values_of_a[kept_of_a]
    if can_be_dragged(pruned, layer=layer, of_weights=True):
        draw_live_threshold(pruned, known, kept_in_a, layer=layer, of_weights=True, log=log)
    else:
        _draw(histogram_of_weights(pruned, layer, log, kept_in_a))
    if network_a is not None and kept_in_a is None:
        layer_of_a = layer if layer in prunable(network_a.model) else None
        picture = histogram_of_weights(network_a, layer_of_a, log)
        draw_picture_of_a(picture, HISTOGRAM_OF_A, f"weights of {layer_of_a or ALL_LAYERS}")


def _has_same_weights(pruned: PrunedNetwork, network_a: PrunedNetwork) -> bool:
    """Return whether two states have pruned the same weights.

    Where a layer is removed, those after it are refitted.
    """
    is_same_network = pruned.trained_model is network_a.trained_model
    has_all_layers = not (pruned.network.removed_layers or network_a.network.removed_layers)
    return is_same_network and has_all_layers


def _draw_scores(
    pruned: PrunedNetwork, known: KnownAccuracies, network_a: PrunedNetwork | None
) -> None:
    layer, log = _draw_histogram_controls(list(pruned.ranking))
    kept_in_a = None
    if network_a is not None and _has_same_scores(pruned, network_a, layer):
        scores_of_a, kept_of_a = network_a.scores(layer)
        kept_in_a = scores_of_a[kept_of_a]
    if can_be_dragged(pruned, layer=layer, of_weights=False):
        draw_live_threshold(pruned, known, kept_in_a, layer=layer, of_weights=False, log=log)
    else:
        _draw(_histogram_of_scores(pruned, layer, log, kept_in_a))
    if network_a is not None and kept_in_a is None:
        _draw_scores_of_a(network_a, log=log)


def _has_same_scores(pruned: PrunedNetwork, network_a: PrunedNetwork, layer: str | None) -> bool:
    """Return whether the last steps of two states have scored the same units, of a layer or all."""
    if pruned.recipe.scoring_key != network_a.recipe.scoring_key:
        return False
    if layer is None:
        return set(pruned.ranking) == set(network_a.ranking)
    return layer in network_a.ranking


def _draw_scores_of_a(network_a: PrunedNetwork, *, log: bool) -> None:
    step = network_a.recipe.last_step
    title = f"scores by {CRITERIA[step.criterion].label}"
    if _has_named_units(network_a):
        picture = _named_scores(network_a)
    else:
        picture = _histogram_of_scores(network_a, None, log)
    draw_picture_of_a(picture, HISTOGRAM_OF_A, title)


def _has_named_units(pruned: PrunedNetwork) -> bool:
    return any(pruned.groups[name].names for name in pruned.ranking)


def histogram_of_weights(
    pruned: PrunedNetwork, layer: str | None, log: bool, kept_in_a: np.ndarray | None = None
) -> Picture:
    """Make a histogram of weights.

    Parameters
    ----------
    pruned : PrunedNetwork
        The result of a recipe.
    layer : str or None
        The layer; None for all of them.
    log : bool
        Whether counts are on a log scale.
    kept_in_a : np.ndarray, optional
        (n,) weights that state A keeps, shown as an outline.

    Returns
    -------
    Picture
        The histogram, with a common threshold if the weights are the scores.
    """
    has_weight_threshold = scores_are_weights(pruned.recipe.last_step)
    values, kept = pruned.weights(layer)
    figure = histogram(
        values,
        kept,
        log=log,
        threshold=_common_threshold(pruned, layer) if has_weight_threshold else None,
        mirrored=True,
        title="weight",
        kept_in_a=kept_in_a,
    )
    return Picture(figure, alt_of_histogram(values, kept, layer or ALL_LAYERS, "weights"))


def _histogram_of_scores(
    pruned: PrunedNetwork, layer: str | None, log: bool, kept_in_a: np.ndarray | None = None
) -> Picture:
    step = pruned.recipe.last_step
    unit = METHODS[step.method].unit_in(step.grouping)
    values, kept = pruned.scores(layer)
    figure = histogram(
        values,
        kept,
        log=log,
        threshold=_common_threshold(pruned, layer),
        mirrored=False,
        title=f"score of the {unit}",
        kept_in_a=kept_in_a,
    )
    return Picture(figure, alt_of_histogram(values, kept, layer or ALL_LAYERS, f"{unit} scores"))


def _draw_histogram_controls(names: list[str]) -> tuple[str | None, bool]:
    """Draw the choice of a layer, None for all of them, and of a log scale."""
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        chosen = select(
            "Layers of the histogram",
            [ALL_LAYERS, *names],
            SessionState.histogram.key,
            label_visibility="collapsed",
        )
    log = right.toggle("Log counts", **persistent(SessionState.log.key))
    return None if chosen == ALL_LAYERS else chosen, log


def _common_threshold(pruned: PrunedNetwork, group: str | None) -> float | None:
    """Return the threshold of a group, or of all groups if they have the same."""
    thresholds = set()
    for name, group_selection in pruned.selection.items():
        if group in (None, name):
            thresholds.add(group_selection.threshold)
    return thresholds.pop() if len(thresholds) == 1 else None


def _named_scores(pruned: PrunedNetwork) -> Picture:
    layers = {}
    for group, ranked in pruned.ranking.items():
        removed = pruned.removed_units_of(group)
        scores = ranked.scores
        for unit in sorted(ranked.order):
            name = pruned.groups[group].label(unit)
            layers[name] = ScoredLayer(float(scores[unit]), not removed[unit])
    step = pruned.recipe.last_step
    unit_name = METHODS[step.method].unit_in(step.grouping)
    figure = layer_scores(layers, title=f"score of the {unit_name}")
    return Picture(figure, alt_of_layer_scores(layers))
