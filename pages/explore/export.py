"""What Explore shows, as one HTML page."""

from collections.abc import Sequence
from functools import partial

from pages.explore.curve import visited_with
from pages.explore.distribution import histogram_of_weights
from pages.explore.heatmap import heatmap_of, heatmap_title
from pages.explore.mask import mask_picture
from pages.state.session import session
from pages.state.tables import Download, draw_downloads
from pruning.data.datasets import DATASETS
from pruning.engine.evaluation import Evaluation
from pruning.engine.prune import prune
from pruning.experiments.strength import without_value
from pruning.figures.accuracy_curve import accuracy_curve
from pruning.figures.html_page import html_page
from pruning.models import NETWORKS
from pruning.recipe.labels import recipe_label
from pruning.recipe.recipe import Recipe


def draw_export(recipe: Recipe) -> None:
    """Draw a button that downloads the figures.

    Parameters
    ----------
    recipe : Recipe
        The recipe that the page shows.
    """
    visited = visited_with(without_value(recipe))
    content = partial(page_of_figures, recipe, session.mask, session.log, visited)
    name = f"explore-{recipe.network}"
    draw_downloads(name, [Download("Figures as HTML", "html", "text/html", content)])


def page_of_figures(
    recipe: Recipe, mask: str | None, log: bool, visited: Sequence[Evaluation]
) -> str:
    """Write the figures of a recipe into one page.

    Parameters
    ----------
    recipe : Recipe
        The recipe.
    mask : str or None
        Name of the mask to be shown, if one is.
    log : bool
        Whether the histogram's counts are on a log scale.
    visited : sequence of Evaluation
        Points of the curve.

    Returns
    -------
    str
        HTML.
    """
    pruned = prune(recipe)
    figures = {
        "Distribution of all weights": histogram_of_weights(pruned, None, log).figure,
        heatmap_title(pruned): heatmap_of(pruned, None).figure,
    }
    if mask is not None:
        figures[f"Mask of {mask}"] = mask_picture(pruned, mask).figure
    if visited:
        curve = accuracy_curve(curve=[], visited=visited, current=None)
        figures["Accuracy against sparsity"] = curve
    network, dataset = NETWORKS[recipe.network].label, DATASETS[recipe.dataset].label
    return html_page(f"{network} on {dataset}: {recipe_label(recipe, with_value=True)}", figures)
