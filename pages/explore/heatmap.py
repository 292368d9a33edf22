"""The share that is removed of each unit, or the scores of pixels."""

import numpy as np
import streamlit as st

from pages.explore.picture import Picture, draw_clickable, draw_picture_of_a
from pages.explore.unit_inspector import selected_unit
from pages.state.session import session
from pruning.engine.pruned_network import PrunedNetwork
from pruning.figures.heatmap import (
    alt_of_removal_difference,
    alt_of_removal_heatmap,
    removal_difference,
    removal_heatmap,
)
from pruning.figures.pixel_scores import alt_of_pixel_scores, pixel_scores
from pruning.methods.criteria import CRITERIA
from pruning.methods.units import METHODS

HEATMAP_CHART = "heatmap"
HEATMAP_OF_A = "heatmap of A"


def draw_heatmap(pruned: PrunedNetwork, network_a: PrunedNetwork | None = None) -> None:
    """Draw the share removed of each unit; of pixels their scores.

    Parameters
    ----------
    pruned : PrunedNetwork
        The result of a recipe.
    network_a : PrunedNetwork, optional
        State A: the difference is drawn if there is one, or both.
    """
    if network_a is not None and not session.both and _has_same_units(pruned, network_a):
        st.markdown("## Share removed, B minus A")
        shares_a, shares_b = network_a.removed_share_by_unit, pruned.removed_share_by_unit
        figure = removal_difference(shares_a, shares_b, selected_unit())
        picture = Picture(figure, alt_of_removal_difference(shares_a, shares_b))
        draw_clickable(picture, HEATMAP_CHART)
        return
    name = "" if network_a is None else ", B"
    st.markdown(f"## {heatmap_title(pruned)}{name}")
    draw_clickable(heatmap_of(pruned, selected_unit()), HEATMAP_CHART)
    if network_a is not None:
        title = heatmap_title(network_a)
        draw_picture_of_a(heatmap_of(network_a, None), HEATMAP_OF_A, title)


def _has_same_units(pruned: PrunedNetwork, network_a: PrunedNetwork) -> bool:
    """Return whether both heatmaps show shares removed of the same units."""
    is_of_pixels = _shows_pixel_scores(pruned) or _shows_pixel_scores(network_a)
    return not is_of_pixels and pruned.recipe.network == network_a.recipe.network


def _shows_pixel_scores(pruned: PrunedNetwork) -> bool:
    return bool(pruned.ranking) and not METHODS[pruned.recipe.last_step.method].has_weights


def heatmap_title(pruned: PrunedNetwork) -> str:
    """Return the heading of `heatmap_of`.

    Parameters
    ----------
    pruned : PrunedNetwork
        The result of a recipe.

    Returns
    -------
    str
        What the heatmap shows.
    """
    is_of_pixels = _shows_pixel_scores(pruned)
    return "Score of each pixel" if is_of_pixels else "Share removed of each unit"


def heatmap_of(pruned: PrunedNetwork, selected: tuple[str, int] | None) -> Picture:
    """Make a heatmap of the shares removed, or of the scores of pixels.

    Parameters
    ----------
    pruned : PrunedNetwork
        The result of a recipe.
    selected : tuple of (str, int) or None
        Layer and unit to be marked.

    Returns
    -------
    Picture
        The heatmap.
    """
    if _shows_pixel_scores(pruned):
        return _pixel_scores_of(pruned)
    shares = pruned.removed_share_by_unit
    return Picture(removal_heatmap(shares, selected), alt_of_removal_heatmap(shares))


def _pixel_scores_of(pruned: PrunedNetwork) -> Picture:
    [(group, ranked)] = pruned.ranking.items()
    scores = np.where(np.isfinite(ranked.scores), ranked.scores, np.nan)
    scores = scores.reshape(pruned.groups[group].shape)
    criterion = CRITERIA[pruned.recipe.last_step.criterion].label
    return Picture(pixel_scores(scores), alt_of_pixel_scores(scores, criterion))
