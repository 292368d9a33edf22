"""Why one unit is kept or removed."""

from dataclasses import dataclass

import numpy as np
import torch

from pruning.data import datasets
from pruning.data.datasets import DATASETS, normalise
from pruning.engine.pruned_network import PrunedNetwork
from pruning.methods.units import METHODS, UnitGroup, is_block
from pruning.models.activations import record_activations
from pruning.models.channel_groups import channel_groups

IMAGES = 6
"""Number of calibration images on which a unit is shown."""


@dataclass(frozen=True, eq=False)
class UnitExplanation:
    """One unit of the last step of a recipe.

    Parameters
    ----------
    score : float or None
        None if a previous step removed the unit.
    rank : int or None
        1 for the lowest score of the group.
    units : int
        Number of units of the group that have a score.
    percentile : float or None
        Share in percent of the group's units with a lower score.
    threshold : float
        Of the group; NaN if the rule has none.
    removed : bool
        Whether the unit is removed, by this step or a previous one.
    weights : np.ndarray or None
        Weights of the unit, (inputs,) or (inputs, height, width); None if it has none of its own.
    images : np.ndarray
        (n, C, H, W) uint8, calibration images.
    activations : np.ndarray
        (n,) or (n, height, width): output of the unit on these images; of a layer the mean
        absolute output, of a subnetwork the mean of its layers or blocks.
    """

    score: float | None
    rank: int | None
    units: int
    percentile: float | None
    threshold: float
    removed: bool
    weights: np.ndarray | None
    images: np.ndarray
    activations: np.ndarray


def explain_unit(pruned: PrunedNetwork, group: str, unit: int) -> UnitExplanation:
    """Explain why a unit is kept or removed.

    Parameters
    ----------
    pruned : PrunedNetwork
        The result of a recipe.
    group : str
        A group that took part in the last step.
    unit : int
        Index of the unit in its group.

    Returns
    -------
    UnitExplanation
        Score, rank and threshold, weights and activations.

    Raises
    ------
    ValueError
        There is no such group or unit.
    """
    if group not in pruned.ranking:
        valid = ", ".join(pruned.ranking)
        raise ValueError(f"{group!r} takes no part in this step: choose from {valid}")
    unit_group = pruned.groups[group]
    if not 0 <= unit < unit_group.units:
        raise ValueError(
            f"unit must be a whole number from 0 to {unit_group.units - 1}, not {unit}"
        )
    ranking = pruned.ranking[group]
    score = rank = percentile = None
    removed = True
    positions = np.flatnonzero(ranking.order == unit)
    if len(positions):
        rank = int(positions[0]) + 1
        score = float(ranking.values[positions[0]])
        percentile = 100 * float((ranking.values < np.float32(score)).mean())
        removed = bool(pruned.removed_units_of(group)[unit])
    images = datasets.calibration(pruned.recipe.dataset, IMAGES).pixels
    return UnitExplanation(
        score=score,
        rank=rank,
        units=len(ranking),
        percentile=percentile,
        threshold=pruned.selection[group].threshold,
        removed=removed,
        weights=_weights(pruned, unit_group, unit),
        images=images.numpy(),
        activations=_activations(pruned, unit_group, unit, images),
    )


def _weights(pruned: PrunedNetwork, group: UnitGroup, unit: int) -> np.ndarray | None:
    if not group.layers or group.members:  # pixels have no weights, layers too many
        return None
    network = pruned.before_step
    name = f"{group.layers[0]}.weight"
    weight = network.masked_parameters().get(name, network.model.get_parameter(name))
    return weight[_output_of(pruned, group, unit)].detach().numpy()


def _output_of(pruned: PrunedNetwork, group: UnitGroup, unit: int) -> int:
    """Index of the output channel that a unit belongs to."""
    if not METHODS[pruned.recipe.last_step.method].units_are_weights:
        return unit
    return unit // (group.units // group.shape[0])


def _activations(
    pruned: PrunedNetwork, group: UnitGroup, unit: int, images: torch.Tensor
) -> np.ndarray:
    if not group.layers:
        return _pixel_values(group, unit, images)
    data, network = DATASETS[pruned.recipe.dataset], pruned.before_step
    modules = _observed_modules(pruned, group, unit)
    inputs = normalise(images, data)
    if network.input_mask is not None:
        inputs = inputs * network.input_mask
    model = network.copy()
    with record_activations(model, modules) as recording, torch.no_grad():
        model(inputs)
    if group.members:
        outputs = [recording.outputs[module] for module in modules]
        means = [output.abs().flatten(1).mean(1) for output in outputs]
        return torch.stack(means).mean(0).numpy()
    [module] = modules
    return recording.outputs[module][:, _output_of(pruned, group, unit)].numpy()


def _pixel_values(group: UnitGroup, unit: int, images: torch.Tensor) -> np.ndarray:
    """Values of a pixel, (n,); of all channels the mean, unless they are units of their own."""
    channels, height, width = group.shape
    channel, position = divmod(unit, height * width)
    row, column = divmod(position, width)
    values = images[:, :, row, column].float()
    return values[:, channel].numpy() if channels > 1 else values.mean(1).numpy()


def _observed_modules(pruned: PrunedNetwork, group: UnitGroup, unit: int) -> list[str]:
    """Names of the modules whose outputs show what a unit does; one for each of its members."""
    model = pruned.before_step.model
    if group.members:
        members = group.members[unit]
        return [f"{name}.bn2" if is_block(model, name) else name for name in members]
    activations = group.activations or _activations_after(pruned, group.layers[0])
    return [activations[0] if activations else group.layers[0]]  # the classifier has no ReLU


def _activations_after(pruned: PrunedNetwork, layer: str) -> tuple[str, ...]:
    data = DATASETS[pruned.recipe.dataset]
    for channels in channel_groups(pruned.before_step.model, data.channels, data.size):
        if layer in channels.producers:
            return tuple(channels.activations)
    return ()
