"""Sentences about a pruned network: notes on the number of units removed, and warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pruning.methods.units import METHODS
from pruning.models import prunable

if TYPE_CHECKING:
    from pruning.engine.pruned_network import PrunedNetwork

MAX_NAMES = 4


def step_note(pruned: PrunedNetwork) -> str:
    """Explain the number of units that the last step removed, where it may surprise.

    Parameters
    ----------
    pruned : PrunedNetwork
        The result of a recipe.

    Returns
    -------
    str
        One sentence, or an empty string.
    """
    return _rule_note(pruned) or _kept_units_note(pruned) or _refit_note(pruned)


def _rule_note(pruned: PrunedNetwork) -> str:
    step = pruned.recipe.last_step
    unit = METHODS[step.method].unit_in(step.grouping)
    removed = pruned.removed_units
    if step.rule != "max_over_n":
        return ""
    if step.scope == "custom":
        return (
            f"Removed {removed:,}: every {unit} that scores below the largest score of its layer, "
            "divided by the layer's n."
        )
    if removed == step.value:
        return ""
    return (
        f"Asked to prune {step.value:g}, removed {removed:,}: this rule removes every {unit} that "
        f"scores below 1/{step.value:g} of the largest score, however many those are."
    )


def _kept_units_note(pruned: PrunedNetwork) -> str:
    step, ranking = pruned.recipe.last_step, pruned.ranking
    if step.rule != "sparsity" or step.scope == "custom":
        return ""
    share = float(step.value)
    if pruned.removed_units >= round(share * ranking.units):
        return ""
    for name, group in ranking.items():
        if group.min_kept and pruned.selection[name].count == group.removable:
            unit = METHODS[step.method].unit_in(step.grouping)
            return (
                f"Asked to remove {share:.1%}, removed {pruned.removed_units:,} of "
                f"{ranking.units:,}: one {unit} of each layer is always kept."
            )
    return ""


def _refit_note(pruned: PrunedNetwork) -> str:
    before, after = pruned.before_step, pruned.network
    removed = sorted(set(after.removed_layers) - set(before.removed_layers))
    if not removed:
        return ""
    layers_before = prunable(before.model)
    refitted = []
    for name, layer in prunable(after.model).items():
        if layer is not layers_before[name]:
            shape = " x ".join(str(size) for size in layer.weight.shape)
            refitted.append(f"{name} ({shape})")
    verb = "was" if len(refitted) == 1 else "were"
    note = (
        f"{', '.join(removed)} removed; {' and '.join(refitted)} {verb} refitted by least squares "
        "to the new inputs."
    )
    if pruned.recipe.previous_steps:
        note += " Weights of these layers that previous steps had removed are nonzero again."
    return note


def network_warnings(pruned: PrunedNetwork) -> tuple[str, ...]:
    """Warn about layers that lost all their weights, and whether the output is constant.

    Parameters
    ----------
    pruned : PrunedNetwork
        The result of a recipe.

    Returns
    -------
    tuple of str
        Sentences. Layers that were removed as layers are expected and not mentioned.
    """
    network = pruned.network
    empty = []
    for name, kept in pruned.kept_weights.items():
        expected = name in network.removed_layers or _block_of(name) in network.removed_blocks
        if kept == 0 and not expected:
            empty.append(name)
    if not empty:
        return ()
    subject = ", ".join(empty)
    if len(empty) > MAX_NAMES:
        subject = f"{empty[0]}, {empty[1]} and {len(empty) - 2} other layers"
    verb = "has lost all its weights" if len(empty) == 1 else "have lost all their weights"
    names = list(pruned.kept_weights)
    blocks = {_block_of(name) for name in empty}
    outside_blocks = any("." not in name for name in empty)
    if outside_blocks or any(_is_constant(block, names, empty) for block in blocks):
        effect = "the network now gives the same answer for every image."
    else:
        path = "its block" if len(empty) == 1 else "their blocks"
        effect = f"only the other path of {path} still depends on the image."
    return (f"{subject} {verb}: {effect}",)


def _block_of(layer: str) -> str:
    return layer.partition(".")[0]


def _is_constant(block: str, names: list[str], empty: list[str]) -> bool:
    """Whether neither path of a residual block depends on the image.

    An identity shortcut has no layer and always depends on it.
    """
    in_block = {name for name in names if name.startswith(f"{block}.")}
    shortcut = {name for name in in_block if name.startswith(f"{block}.shortcut.")}
    residual = in_block - shortcut
    return bool(shortcut & set(empty)) and bool(residual & set(empty))
