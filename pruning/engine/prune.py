"""Recipe to pruned network: scores, ranking, selection, masks."""

from dataclasses import replace

import torch
from torch import nn

from pruning.data import datasets
from pruning.data.datasets import DATASETS, normalise
from pruning.engine.caches import cached
from pruning.engine.masked_network import MaskedNetwork
from pruning.engine.pruned_network import PrunedNetwork
from pruning.methods.criteria import CRITERIA, Context
from pruning.methods.ranking import Ranking
from pruning.methods.refit import carry_masks, remove_layers
from pruning.methods.rules import RULES
from pruning.methods.selection import Selection
from pruning.methods.units import METHODS, UnitGroup, groups, is_block
from pruning.models import checkpoints
from pruning.recipe.recipe import Recipe
from pruning.runtime.progress import ShareReport, ignore_progress

REFIT_BATCH = 256


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
    before_step = previous.network if previous else MaskedNetwork(trained_model(recipe))
    groups_of_step = _groups_in(before_step, recipe)
    network = _apply_step(recipe.without_recovery, before_step, groups_of_step, ranking, selection)
    return PrunedNetwork(recipe, previous, network, groups_of_step, ranking, selection)


def trained_model(recipe: Recipe) -> nn.Sequential:
    """Return the trained network of a recipe.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.

    Returns
    -------
    nn.Sequential
        Shared by all visitors and never modified.
    """
    return checkpoints.shared_model(recipe.network, recipe.dataset)


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
        The dense network if there is only one step.
    """
    previous = recipe.without_last_step
    return prune(previous, report).network if previous else MaskedNetwork(trained_model(recipe))


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
    return _groups_in(input_network(recipe), recipe)


def _groups_in(network: MaskedNetwork, recipe: Recipe) -> dict[str, UnitGroup]:
    data, step = DATASETS[recipe.dataset], recipe.last_step
    return groups(network.model, step.method, step.grouping, data.channels, data.size)


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
    return all(_rank_all_units.is_cached(prefix.scoring_key) for prefix in recipe.prefixes())


def _ranking_bytes(ranking: Ranking) -> int:
    """Approximate memory of scores, their order and their sorted copies; never 0."""
    return 24 * ranking.units + 1


@cached(
    "sorted scores, bytes",
    max_size=96_000_000,
    key=lambda recipe, report: recipe,
    size_of=_ranking_bytes,
)
def _rank_all_units(recipe: Recipe, report: ShareReport) -> Ranking:
    return rank_network(recipe, input_network(recipe, report), report=report)


def rank_network(
    recipe: Recipe,
    network: MaskedNetwork,
    *,
    draw: int = 0,
    report: ShareReport = ignore_progress,
) -> Ranking:
    """Score and sort all units of any network by the last step of a recipe, without a cache.

    Parameters
    ----------
    recipe : Recipe
        Gives the step, the dataset, the number of calibration images and the seed.
    network : MaskedNetwork
        What the step is applied to.
    draw : int
        Which draw of calibration images is used.
    report : callable
        Called with the share of the scoring that is done.

    Returns
    -------
    Ranking
        Of all groups, whether they take part in the step or not.
    """
    step = recipe.last_step
    method, all_groups = METHODS[step.method], _groups_in(network, recipe)
    surviving = {}
    for name, group in all_groups.items():
        surviving[name] = method.surviving_units(network.model, group, network.masks)
    context = Context(
        model=network.copy(),
        groups=all_groups,
        method=step.method,
        dataset=recipe.dataset,
        calibration=recipe.calibration,
        seed=recipe.seed,
        variant=step.variant,
        input=network.input_mask,
        surviving_units=surviving,
        step_index=len(recipe.previous_steps),
        report=report,
        draw=draw,
    )
    scores = CRITERIA[step.criterion].function(context)
    weights = {}
    if method.units_are_weights:  # thresholds are shown in standard deviations of the weights, too
        weights = {name: context.weight(name) for name in all_groups}
    return Ranking.of(scores, all_groups, surviving, weights)


@cached(
    "masked networks, bytes",
    max_size=32_000_000,
    # The other arguments follow from the recipe.
    key=lambda recipe, before_step, groups_of_step, ranking, selection: recipe,
    size_of=lambda network: network.bytes,
)
def _apply_step(
    recipe: Recipe,
    before_step: MaskedNetwork,
    groups_of_step: dict[str, UnitGroup],
    ranking: Ranking,
    selection: Selection,
) -> MaskedNetwork:
    return _without_selected(recipe, before_step, groups_of_step, ranking, selection)


def prune_network(recipe: Recipe, network: MaskedNetwork, ranking: Ranking) -> MaskedNetwork:
    """Remove the units that the last step of a recipe selects from any network, without a cache.

    Parameters
    ----------
    recipe : Recipe
        Gives the step.
    network : MaskedNetwork
        What the step is applied to; it is not modified.
    ranking : Ranking
        Scores of all units of the network, of `rank_network`.

    Returns
    -------
    MaskedNetwork
        The network with the masks of the step.
    """
    step = recipe.last_step
    ranking = ranking.restrict(recipe.chosen_layers)
    selection = RULES[step.rule].select(ranking, step.value, step.scope, dict(step.values))
    groups_of_step = _groups_in(network, recipe)
    return _without_selected(recipe, network, groups_of_step, ranking, selection)


def _without_selected(
    recipe: Recipe,
    before_step: MaskedNetwork,
    groups_of_step: dict[str, UnitGroup],
    ranking: Ranking,
    selection: Selection,
) -> MaskedNetwork:
    """Mask or remove the selected units."""
    method = METHODS[recipe.last_step.method]
    kept: dict[str, torch.Tensor] = {}
    removed_names: list[str] = []
    for name, group_selection in selection.items():
        group, removed = groups_of_step[name], group_selection.removed(ranking[name])
        kept |= method.masks_for(before_step.model, group, removed)
        removed_names += _names_of(group, removed)
    network = replace(before_step, masks=before_step.masks & kept)
    blocks = [name for name in removed_names if is_block(network.model, name)]
    network = replace(network, removed_blocks=(*network.removed_blocks, *blocks))
    plain_layers = [name for name in removed_names if name not in blocks]
    return _without_layers(recipe, network, plain_layers) if plain_layers else network


def _names_of(group: UnitGroup, removed: torch.Tensor) -> list[str]:
    """Names of the removed units; only layers and blocks have names."""
    if not group.names:
        return []
    return [group.names[unit] for unit in removed.nonzero().flatten().tolist()]


def _without_layers(recipe: Recipe, network: MaskedNetwork, names: list[str]) -> MaskedNetwork:
    """Remove plain layers and refit the linear layers after them."""
    images = datasets.calibration(recipe.dataset, recipe.calibration)
    data = DATASETS[recipe.dataset]

    def batches() -> list[torch.Tensor]:
        return [normalise(pixels, data) for pixels in images.pixels.split(REFIT_BATCH)]

    model, _ = remove_layers(network.model, network.masked_parameters(), names, batches)
    return replace(
        network,
        model=model,
        masks=carry_masks(network.masks, network.model, model),
        removed_layers=(*network.removed_layers, *names),
    )
