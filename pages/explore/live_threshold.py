"""The live threshold: a histogram whose threshold is dragged in the browser, without a rerun."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import streamlit as st

from pages.controls.amount import scores_are_weights
from pages.state.messages import escape_markdown, sentence
from pages.state.session import session
from pages.state.url import show_recipe
from pruning.engine.pruned_network import PrunedNetwork
from pruning.experiments.threshold_table import has_threshold_table, threshold_table
from pruning.figures.live_histogram import live_histogram
from pruning.models import NETWORKS

KEY = "live_threshold"
ASSETS = Path(__file__).parents[2] / "assets" / "live_threshold"
SPARSITY_DIGITS = 3
VALUE_DIGITS = 6
MEASURED_POINTS = "measured points"
ESTIMATED_POINTS = "points, most of them estimates from the first images"

_component = st.components.v2.component(
    KEY,
    html=(ASSETS / "component.html").read_text(),
    css=(ASSETS / "component.css").read_text(),
    js=(ASSETS / "component.js").read_text(),
)


def can_be_dragged(pruned: PrunedNetwork, *, layer: str | None, of_weights: bool) -> bool:
    """Return whether the threshold of a histogram can be dragged.

    Parameters
    ----------
    pruned : PrunedNetwork
        The result of a recipe.
    layer : str or None
        The layer or group that is shown; None for all of them.
    of_weights : bool
        Whether weights are shown, else scores.

    Returns
    -------
    bool
        True if one number decides what the last step removes, the sidebar shows that step, and its
        scores are what the axis shows; a layer that does not take part has no threshold.
    """
    recipe = pruned.recipe
    if of_weights and not scores_are_weights(recipe.last_step):
        return False
    if layer not in (None, *pruned.ranking):
        return False
    is_shown = session.active_step in (None, len(recipe.previous_steps))
    return is_shown and has_threshold_table(recipe)


def draw_live_threshold(
    pruned: PrunedNetwork,
    known: Sequence[tuple[float, float]],
    kept_in_a: np.ndarray | None,
    *,
    layer: str | None,
    of_weights: bool,
    log: bool,
) -> None:
    """Draw a histogram whose threshold can be dragged.

    Parameters
    ----------
    pruned : PrunedNetwork
        A network for which `can_be_dragged` holds.
    known : sequence of (float, float)
        Values of the rule that have been measured, with their accuracies.
    kept_in_a : np.ndarray or None
        (n,) values that state A keeps.
    layer : str or None
        The layer or group that is shown; None for all of them.
    of_weights : bool
        Whether weights are shown, else scores.
    log : bool
        Whether counts are on a log scale.
    """
    data = live_histogram(
        pruned,
        threshold_table(pruned.recipe),
        layer=layer,
        of_weights=of_weights,
        log=log,
        kept_in_a=kept_in_a,
    )
    data["known"] = [list(point) for point in known]
    is_slow = NETWORKS[pruned.recipe.network].slow
    data["points_name"] = ESTIMATED_POINTS if is_slow else MEASURED_POINTS
    data["release"] = session.live_releases  # so that every release is answered by new data
    _component(key=KEY, data=data, on_released_change=_take_value)


def _take_value() -> None:
    """Show the value that was chosen in the browser, in a callback."""
    session.live_releases += 1
    value, recipe = st.session_state[KEY].get("released"), session.recipe
    if recipe is None or type(value) not in (int, float):
        return
    try:
        number = float(value)
        if recipe.last_step.rule == "sparsity":
            rounded = round(number, SPARSITY_DIGITS)
        else:
            rounded = float(f"{number:.{VALUE_DIGITS}g}")
        show_recipe(recipe.with_last_step(value=rounded))
    except (ValueError, OverflowError) as error:
        session.message = escape_markdown(sentence(error))
