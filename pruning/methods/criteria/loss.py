"""The exact change of the loss, one evaluation for each unit."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn import functional as F

from pruning.inference.prefix_cache import forward
from pruning.methods.criteria.base import Context, Scores, criterion
from pruning.methods.refit import remove_layers
from pruning.methods.units import METHODS, UnitGroup, is_block
from pruning.models.stages import part_of, stage_of_layer
from pruning.runtime.progress import ignore_progress


@criterion(
    "loss_change",
    label="Loss change",
    formula=r"L(\text{without the unit}) - L",
    needs_data=True,
    can_be_negative=True,
    is_slow=True,
    source="exact leave-one-out over the calibration images",
    applies_to=("neuron", "filter", "layer"),
    help="The cross-entropy without the unit minus the one with it, one evaluation per unit: "
    "exact, and the slowest. Negative where the network does better without.",
)
def loss_change(context: Context) -> Scores:
    """Score units by the change of the mean loss when each one is removed alone."""
    batches = list(replace(context, report=ignore_progress).batches(256))
    images = [x for x, _ in batches]
    labels = [y for _, y in batches]
    candidates = sorted(_candidates(context), key=lambda candidate: candidate.stage)
    dense = _mean_loss(context.model, {}, images, labels)
    scores = {
        name: torch.zeros(group.units, dtype=torch.float64)
        for name, group in context.groups.items()
    }
    # All candidates from a stage on share the outputs of the stages before: computed once.
    values, start = images, 0
    for done, candidate in enumerate(candidates, start=1):
        if candidate.stage > start:
            stages_between = forward(part_of(context.model, start, candidate.stage), {})
            values = [stages_between(x) for x in values]
            start = candidate.stage
        group, unit = candidate.group, candidate.unit
        members = group.members[unit] if group.members else ()
        if members and not is_block(context.model, members[0]):
            assert isinstance(context.model, nn.Sequential)  # only these have removable layers
            refitted, _ = remove_layers(context.model, {}, members, lambda: images)
            loss = _mean_loss(refitted, {}, images, labels)
        else:
            parameters = _parameters_without(context, group, unit)
            loss = _mean_loss(part_of(context.model, start), parameters, values, labels)
        scores[group.name][unit] = loss - dense
        context.report(done / len(candidates))
    return scores


@dataclass(frozen=True)
class _Candidate:
    """A unit, and the index of the first stage that changes without it."""

    stage: int
    group: UnitGroup
    unit: int


def _candidates(context: Context) -> list[_Candidate]:
    candidates = []
    for group in context.groups.values():
        for unit in range(group.units):
            layers = group.members[unit] if group.members else group.layers
            first = min(stage_of_layer(context.model, name) for name in layers)
            candidates.append(_Candidate(first, group, unit))
    return candidates


def _parameters_without(context: Context, group: UnitGroup, unit: int) -> dict[str, torch.Tensor]:
    """Masked parameters of the network without one unit."""
    removed = torch.zeros(group.units, dtype=torch.bool)
    removed[unit] = True
    masks = METHODS[context.method].masks_for(context.model, group, removed)
    return {
        name: torch.where(mask, context.model.get_parameter(name), 0.0)
        for name, mask in masks.items()
    }


def _mean_loss(
    model: nn.Module,
    parameters: Mapping[str, torch.Tensor],
    batches: list[torch.Tensor],
    labels: list[torch.Tensor],
) -> float:
    """Mean cross-entropy, from batches of inputs of the first stage."""
    network = forward(model, parameters)
    total = 0.0
    for x, y in zip(batches, labels, strict=True):
        total += float(F.cross_entropy(network(x).double(), y, reduction="sum"))
    return total / sum(len(y) for y in labels)
