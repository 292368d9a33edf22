"""Why one unit stays or goes."""

from dataclasses import dataclass

import numpy as np
import torch

from pruning.data import datasets
from pruning.data.datasets import DATASETS, normalise
from pruning.engine import prune as experiment
from pruning.methods.units import UnitGroup, is_block, layers_in
from pruning.models.channel_groups import channel_groups
from pruning.recipe.recipe import Recipe

IMAGES = 6


@dataclass(frozen=True, eq=False)
class Why:
    """One unit of a recipe's last step.

    ``rank`` is 1 for the lowest score of the ``units`` of its group; ``percentile`` the share in percent of the group's
    units that score lower. ``score`` and ``rank`` are None where an earlier step had removed the unit already.
    ``threshold`` is NaN where the rule has none. ``weights`` are those of the unit: (inputs,), (inputs, height, width), or
    None where it has none of its own. ``activations`` are what it does on ``images`` (n, C, H, W) uint8: (n,) or (n, h, w).
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


def explain(recipe: Recipe, group: str, unit: int) -> Why:
    """The unit of this index in its group; its group must take part in the step.

    Raises
    ------
    ValueError : there is no such group or unit.
    """
    found, ranked = experiment.groups_of(recipe), experiment.ranking(recipe)
    if group not in ranked:
        raise ValueError(f"{group!r} takes no part in this step: choose from {', '.join(ranked)}")
    if not 0 <= unit < found[group].units:
        raise ValueError(
            f"unit must be a whole number from 0 to {found[group].units - 1}, not {unit}"
        )
    layer, cut = ranked[group], experiment.select(recipe)[group]
    places = np.flatnonzero(layer.order == unit)
    images = datasets.calibration(recipe.dataset, IMAGES).pixels
    state = experiment.before(recipe)
    score = float(layer.scores[unit]) if len(places) else None
    return Why(
        score,
        int(places[0]) + 1 if len(places) else None,
        len(layer),
        100 * float((layer.values < np.float32(score)).mean()) if len(places) else None,
        cut.threshold,
        not len(places) or bool(cut.removed(layer)[unit]),
        _weights(state, recipe.method, found[group], unit),
        images.numpy(),
        _activations(state, recipe, found[group], unit, images),
    )


def _weights(
    state: experiment.Pruned, method: str, group: UnitGroup, unit: int
) -> np.ndarray | None:
    if method in ("layer", "feature"):
        return None
    name = f"{group.layers[0]}.weight"
    weight = state.masks.apply(state.model).get(name, state.model.get_parameter(name))
    output = unit // weight[0].numel() if method == "weight" else unit
    return weight[output].detach().numpy()


def _activations(
    state: experiment.Pruned, recipe: Recipe, group: UnitGroup, unit: int, images: torch.Tensor
) -> np.ndarray:
    data = DATASETS[recipe.dataset]
    if recipe.method == "feature":
        row, column = divmod(unit % (data.size * data.size), data.size)
        channel = unit // data.size**2 if group.shape[0] > 1 else slice(None)
        return images[:, channel, row, column].float().reshape(len(images), -1).mean(1).numpy()
    model, outputs = state.copy(), []
    if recipe.method == "layer":
        name = group.names[unit]
        place = f"{name}.bn2" if is_block(model, name) else layers_in(model, name)[-1]
        channel = slice(None)
    else:
        place = _place(model, group.layers[0], group.activations, data.channels, data.size)
        weight = model.get_submodule(group.layers[0]).weight
        channel = unit // weight[0].numel() if recipe.method == "weight" else unit
    model.get_submodule(place).register_forward_hook(lambda _, __, output: outputs.append(output))
    x = normalise(images, data)
    with torch.no_grad():
        model(x * state.masks["input"] if "input" in state.masks else x)
    seen = outputs[0][:, channel]
    return (seen.abs().flatten(1).mean(1) if recipe.method == "layer" else seen).numpy()


def _place(
    model: torch.nn.Module, layer: str, activations: tuple[str, ...], channels: int, size: int
) -> str:
    """Behind the ReLU of the layer's outputs; the classifier has none."""
    found = activations or next(
        tuple(s.activations) for s in channel_groups(model, channels, size) if layer in s.producers
    )
    return found[0] if found else layer
