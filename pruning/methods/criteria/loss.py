"""The change of the loss itself, one evaluation a unit."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional as F

from pruning.inference.prefix_cache import forward
from pruning.methods.criteria.base import Context, Scores, criterion
from pruning.methods.refit import without
from pruning.methods.units import METHODS, UnitGroup, is_block


@criterion(
    "loss_change",
    label="Loss change",
    formula=r"L(\text{without the unit}) - L",
    needs_data=True,
    can_be_negative=True,
    source="exact leave-one-out over the calibration images",
    applies_to=("neuron", "filter", "layer"),
    help="The cross-entropy without the unit minus the one with it, one evaluation a unit: exact, and the slowest. "
    "Negative where the network does better without.",
)
def loss_change(context: Context) -> Scores:
    batches = list(replace(context, report=lambda share: None).batches(256))
    labels = [y for _, y in batches]
    stages = [name for name, _ in context.model.named_children()]
    units = [
        (
            min(
                stages.index(name.partition(".")[0])
                for name in ([group.names[unit]] if group.names else group.layers)
            ),
            group,
            unit,
        )
        for group in context.groups.values()
        for unit in range(group.units)
    ]
    values, place = [x for x, _ in batches], 0
    dense = _loss(context.model, {}, values, labels)
    scores = {
        name: torch.zeros(group.units, dtype=torch.float64)
        for name, group in context.groups.items()
    }
    for done, (stage, group, unit) in enumerate(sorted(units, key=lambda entry: entry[0]), start=1):
        if stage > place:  # nothing before this stage differs from now on: it is computed once
            values, place = [forward(context.model[place:stage], {})(x) for x in values], stage
        if group.names and not is_block(context.model, group.names[unit]):
            left, _ = without(
                context.model, {}, [group.names[unit]], lambda: [x for x, _ in batches]
            )
            loss = _loss(left, {}, [x for x, _ in batches], labels)
        else:
            loss = _loss(context.model[place:], _silenced(context, group, unit), values, labels)
        scores[group.name][unit] = loss - dense
        context.report(done / len(units))
    return scores


def _silenced(context: Context, group: UnitGroup, unit: int) -> dict[str, torch.Tensor]:
    gone = torch.zeros(group.units, dtype=torch.bool)
    gone[unit] = True
    kept = METHODS[context.method].masks_for(context.model, group, gone)
    return {
        name: torch.where(mask, context.model.get_parameter(name), 0.0)
        for name, mask in kept.items()
    }


def _loss(
    model: nn.Sequential,
    parameters: Mapping[str, torch.Tensor],
    values: list[torch.Tensor],
    labels: list[torch.Tensor],
) -> float:
    """The mean cross-entropy, from the values that enter the first stage."""
    network = forward(model, parameters)
    total = sum(
        float(F.cross_entropy(network(x).double(), y, reduction="sum"))
        for x, y in zip(values, labels)
    )
    return total / sum(map(len, labels))
