"""Recipe to pruned network: scores, ranking, selection, masks."""

from torch import nn

from pruning.engine.apply_step import apply_selection, groups_in, rank_network
from pruning.engine.caches import cached
from pruning.engine.masked_network import MaskedNetwork
from pruning.engine.pruned_network import PrunedNetwork
from pruning.engine.trained_network import cache_key, trained_network
from pruning.methods.ranking import Ranking
from pruning.methods.rules import RULES
from pruning.methods.selection import Selection
from pruning.methods.units import UnitGroup
from pruning.recipe.recipe import Recipe
from pruning.runtime.progress import ShareReport, ignore_progress

MAX_RANKING_BYTES = 48_000_000
MAX_NETWORK_BYTES = 32_000_000


def prune(recipe: Recipe, report: ShareReport = ignore_progress) -> PrunedNetwork:
    """Prune a trained network.

    Parameters
    ----------
    recipe : Recipe
        What to prune.
    report : callable
        Called with the share of scoring that is done, if the scores are not cached.

    Returns
    -------
    PrunedNetwork
        Masks of the network, with the ranking and the selection that led to them.

    Raises
    ------
    CheckpointError, DatasetError
        The trained network or its data are missing or broken.
    """
    recipe = recipe.on_all_images
    step = recipe.last_step
    ranking = rank_units(recipe, report)
    selection = RULES[step.rule].select(ranking, step.value, step.scope, dict(step.values))
    previous_recipe = recipe.without_last_step
    previous = prune(previous_recipe, report) if previous_recipe else None
    before_step = previous.network if previous else trained_network(recipe)
    network = _apply_step(recipe.without_recovery, before_step, ranking, selection)
    groups_of_step = groups_in(before_step, recipe)
    return PrunedNetwork(recipe, previous, network, groups_of_step, ranking, selection)


def trained_model(recipe: Recipe) -> nn.Module:
    """Return the trained network of a recipe.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.

    Returns
    -------
    nn.Module
        Shared by all visitors and never modified.
    """
    return trained_network(recipe).model


def input_network(recipe: Recipe, report: ShareReport = ignore_progress) -> MaskedNetwork:
    """Return what the previous steps of a recipe leave to the last one.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.
    report : callable
        Called with the share of scoring that is done, if scores of previous steps are not cached.

    Returns
    -------
    MaskedNetwork
        The trained network if there is only one step.
    """
    previous = recipe.without_last_step
    return prune(previous, report).network if previous else trained_network(recipe)


def unit_groups(recipe: Recipe) -> dict[str, UnitGroup]:
    """Return the groups of units that the last step of a recipe ranks.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.

    Returns
    -------
    dict of str to UnitGroup
        In network order, whether they take part or not.
    """
    return groups_in(input_network(recipe), recipe)


def rank_units(recipe: Recipe, report: ShareReport = ignore_progress) -> Ranking:
    """Score and sort the units of the last step; cached, whatever the rule removes.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.
    report : callable
        Called with the share of the scoring of a step that is done; previous steps are scored,
        too, if their scores are not cached.

    Returns
    -------
    Ranking
        Of the groups that take part.
    """
    return _rank_all_units(recipe.scoring_key, report).restrict(recipe.chosen_layers)


def has_cached_scores(recipe: Recipe) -> bool:
    """Return whether `rank_units` can answer without scoring.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.

    Returns
    -------
    bool
        True if the scores of all steps are cached.
    """
    return all(
        _rank_all_units.is_cached(cache_key(prefix.scoring_key)) for prefix in recipe.prefixes()
    )


def _ranking_bytes(ranking: Ranking) -> int:
    """Memory of sorted scores and their order; never 0.

    A ranking that is larger than the cache is kept alone in it.
    """
    return min(8 * ranking.units + 1, MAX_RANKING_BYTES)


@cached(
    "sorted scores, bytes",
    max_size=MAX_RANKING_BYTES,
    key=lambda recipe, report: cache_key(recipe),
    size_of=_ranking_bytes,
)
def _rank_all_units(recipe: Recipe, report: ShareReport) -> Ranking:
    return rank_network(recipe, input_network(recipe, report), report=report)


@cached(
    "masked networks, bytes",
    max_size=MAX_NETWORK_BYTES,
    # The other arguments follow from the recipe.
    key=lambda recipe, before_step, ranking, selection: cache_key(recipe),
    size_of=lambda network: min(network.bytes, MAX_NETWORK_BYTES),
)
def _apply_step(
    recipe: Recipe, before_step: MaskedNetwork, ranking: Ranking, selection: Selection
) -> MaskedNetwork:
    return apply_selection(before_step, recipe, ranking, selection)
