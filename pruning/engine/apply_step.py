"""One step of a recipe, applied to any masked network; nothing is cached."""

from dataclasses import replace

import torch
from torch import nn

from pruning.data import datasets
from pruning.data.datasets import DATASETS, normalise
from pruning.engine.masked_network import MaskedNetwork
from pruning.methods.criteria import CRITERIA, Context
from pruning.methods.ranking import Ranking
from pruning.methods.refit import carry_masks, remove_layers
from pruning.methods.rules import RULES
from pruning.methods.selection import Selection
from pruning.methods.units import METHODS, UnitGroup, groups, is_block, members_of
from pruning.recipe.recipe import Recipe
from pruning.runtime.progress import ShareReport, ignore_progress

REFIT_BATCH = 256

Units = dict[str, torch.Tensor]
"""Units by group, (units,) bool each."""


def groups_in(network: MaskedNetwork, recipe: Recipe) -> dict[str, UnitGroup]:
    """Return the groups of units of the last step of a recipe.

    Parameters
    ----------
    network : MaskedNetwork
        A network of the recipe.
    recipe : Recipe
        Any recipe.

    Returns
    -------
    dict of str to UnitGroup
        In network order, whether they take part or not.
    """
    data, step = DATASETS[recipe.dataset], recipe.last_step
    return groups(network.model, step.method, step.grouping, data.channels, data.size)


def surviving_units(network: MaskedNetwork, recipe: Recipe) -> Units:
    """Return the units of the last step that the masks of a network keep.

    Parameters
    ----------
    network : MaskedNetwork
        A network of the recipe.
    recipe : Recipe
        Any recipe.

    Returns
    -------
    dict of str to torch.Tensor
        (units,) bool for each group.
    """
    method = METHODS[recipe.last_step.method]
    surviving = {}
    for name, group in groups_in(network, recipe).items():
        surviving[name] = method.surviving_units(network.model, group, network.masks)
    return surviving


def score_units(
    network: MaskedNetwork,
    recipe: Recipe,
    *,
    report: ShareReport = ignore_progress,
) -> dict[str, torch.Tensor]:
    """Score the units of the last step of a recipe.

    Parameters
    ----------
    network : MaskedNetwork
        A network of the recipe, on the CPU.
    recipe : Recipe
        Any recipe.
    report : callable
        Called with the share of the scoring that is done.

    Returns
    -------
    dict of str to torch.Tensor
        One score for each unit of each group; those of removed units have no meaning.
    """
    step = recipe.last_step
    context = Context(
        model=network.copy(),
        groups=groups_in(network, recipe),
        method=step.method,
        dataset=recipe.dataset,
        calibration=recipe.calibration,
        seed=recipe.seed,
        variant=step.variant,
        input=network.input_mask,
        surviving_units=surviving_units(network, recipe),
        step_index=len(recipe.previous_steps),
        report=report,
        draw=recipe.draw,
    )
    return CRITERIA[step.criterion].function(context)


def rank_scores(
    network: MaskedNetwork, recipe: Recipe, scores: dict[str, torch.Tensor], units: Units
) -> Ranking:
    """Sort scores.

    Parameters
    ----------
    network : MaskedNetwork
        The network that was scored.
    recipe : Recipe
        Any recipe.
    scores : dict of str to torch.Tensor
        As `score_units` returns them.
    units : dict of str to torch.Tensor
        The units to rank, (units,) bool for each group.

    Returns
    -------
    Ranking
        Of all groups, whether they take part or not.
    """
    weights = {}
    if METHODS[recipe.last_step.method].units_are_weights:  # thresholds in standard deviations
        masked = network.masked_parameters()
        for name in scores:
            parameter = f"{name}.weight"
            dense = network.model.get_parameter(parameter)
            weights[name] = masked.get(parameter, dense)
    return Ranking.of(scores, groups_in(network, recipe), units, weights)


def rank_network(
    recipe: Recipe,
    network: MaskedNetwork,
    *,
    report: ShareReport = ignore_progress,
) -> Ranking:
    """Score and sort all units of a network by the last step of a recipe.

    Parameters
    ----------
    recipe : Recipe
        Gives the step, the dataset, the calibration images and the seed.
    network : MaskedNetwork
        What the step is applied to.
    report : callable
        Called with the share of the scoring that is done.

    Returns
    -------
    Ranking
        Of all groups, whether they take part in the step or not.
    """
    scores = score_units(network, recipe, report=report)
    return rank_scores(network, recipe, scores, surviving_units(network, recipe))


def prune_network(recipe: Recipe, network: MaskedNetwork, ranking: Ranking) -> MaskedNetwork:
    """Remove the units that the last step of a recipe selects.

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
    return apply_selection(network, recipe, ranking, selection)


def apply_selection(
    network: MaskedNetwork, recipe: Recipe, ranking: Ranking, selection: Selection
) -> MaskedNetwork:
    """Remove the selected units.

    Parameters
    ----------
    network : MaskedNetwork
        The network that was ranked, not modified.
    recipe : Recipe
        Any recipe.
    ranking : Ranking
        Its units.
    selection : Selection
        Those to remove.

    Returns
    -------
    MaskedNetwork
        With further masks. If plain layers were removed, its model is a new one, whose linear
        layers after the gaps are refitted on calibration images.
    """
    method, groups_of_step = METHODS[recipe.last_step.method], groups_in(network, recipe)
    masks = network.masks
    removed_names: list[str] = []
    for name, group_selection in selection.items():
        group, removed = groups_of_step[name], group_selection.removed(ranking[name])
        # Several groups can have channels of the same batch norm, behind a concatenation.
        masks &= method.masks_for(network.model, group, removed)
        removed_names += members_of(group, removed)
    masked = replace(network, masks=masks)
    blocks = [name for name in removed_names if is_block(masked.model, name)]
    new_blocks = [name for name in blocks if name not in masked.removed_blocks]
    masked = replace(masked, removed_blocks=(*masked.removed_blocks, *new_blocks))
    plain_layers = [name for name in removed_names if name not in blocks]
    return _without_layers(recipe, masked, plain_layers) if plain_layers else masked


def _without_layers(recipe: Recipe, network: MaskedNetwork, names: list[str]) -> MaskedNetwork:
    """Remove plain layers and refit the linear layers after them."""
    images = datasets.calibration(recipe.dataset, recipe.calibration, recipe.draw)
    data = DATASETS[recipe.dataset]

    def batches() -> list[torch.Tensor]:
        return [normalise(pixels, data) for pixels in images.pixels.split(REFIT_BATCH)]

    assert isinstance(network.model, nn.Sequential)  # only these have removable layers
    model, _ = remove_layers(network.model, network.masked_parameters(), names, batches)
    return replace(
        network,
        model=model,
        masks=carry_masks(network.masks, network.model, model),
        removed_layers=(*network.removed_layers, *names),
    )
