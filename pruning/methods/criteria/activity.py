"""Criteria that watch what units do on the calibration images, behind their ReLU."""

import math
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from pruning.methods.criteria.base import Context, Scores, criterion
from pruning.models import prunable

BINS = 32
UNITS = ("neuron", "filter")


@criterion(
    "wanda",
    label="Wanda",
    formula=r"|w_{ij}| \cdot \lVert x_j \rVert_2 \text{ among the weights of output } i",
    source="Sun et al. 2023",
    applies_to=("weight",),
    needs_data=True,
    help="The weight times the norm of what it reads, over all calibration images and positions. Weights are "
    "compared within one output only, so the score is the share of the output's weights that have less.",
)
def wanda(context: Context) -> Scores:
    totals = {
        name: torch.zeros(context.weight(name)[0].numel(), dtype=torch.float64)
        for name in context.groups
    }

    def watch(name: str, layer: nn.Module, x: torch.Tensor) -> None:
        if isinstance(layer, nn.Conv2d):
            squares = x.square().sum(0, keepdim=True)  # (1, C, H, W)
            seen = F.unfold(squares, layer.kernel_size, layer.dilation, layer.padding, layer.stride)
            totals[name] += seen[0].sum(1, dtype=torch.float64)  # over positions: (inputs,)
        else:
            totals[name] += x.square().sum(0).double()

    layers = prunable(context.model)
    hooks = [
        layers[name].register_forward_pre_hook(
            lambda layer, given, name=name: watch(name, layer, given[0])
        )
        for name in context.groups
    ]
    for x, _ in context.batches():
        context.model(x)
    for hook in hooks:
        hook.remove()
    return {
        name: _share_below(
            context.weight(name).flatten(1).abs() * total.sqrt(), context.alive.get(name)
        )
        for name, total in totals.items()
    }


def _share_below(values: torch.Tensor, alive: torch.Tensor | None) -> torch.Tensor:
    """(rows, n) -> for each value the share of its row that comes before it, ties by index; of the living ones, if some
    are not alive."""
    if alive is not None:
        values = torch.where(alive.view(values.shape), values, -1.0)
    dead = (values < 0).sum(1, keepdim=True)
    places = values.sort(dim=1, stable=True).indices.argsort(1)
    return (places - dead).clamp(min=0) / (values.shape[1] - dead).clamp(min=1)


@criterion(
    "activation",
    label="Activation",
    formula=r"\text{mean } |a| \text{, } \max a \text{ or } \lVert a \rVert_2",
    source="over calibration images and positions",
    applies_to=UNITS,
    needs_data=True,
    variant_methods=UNITS,
    variants={"mean": "mean |a|", "max": "max a", "l2": "L2 norm"},
    help="How strongly the unit responds behind its ReLU: silent ones are removed first.",
)
def activation(context: Context) -> Scores:
    if context.variant == "max":
        return _watched(context, lambda a, labels: a.amax((0, 2)), torch.maximum)
    if context.variant == "l2":
        squares = _watched(context, lambda a, labels: a.double().square().sum((0, 2)), torch.add)
        return {name: total.sqrt() for name, total in squares.items()}
    return _means(_watched(context, lambda a, labels: _with_count(a.abs()), torch.add))


@criterion(
    "apoz",
    label="APoZ",
    formula=r"1 - \text{average percentage of zeros}",
    source="Hu et al. 2016",
    applies_to=UNITS,
    needs_data=True,
    help="The share of images and positions at which the unit is not zero behind its ReLU.",
)
def apoz(context: Context) -> Scores:
    return _means(_watched(context, lambda a, labels: _with_count(a != 0), torch.add))


@criterion(
    "activation_entropy",
    label="Activation entropy",
    formula=r"-\sum_b p_b \log p_b",
    source="Luo & Wu 2017",
    applies_to=UNITS,
    needs_data=True,
    help=f"The entropy of the unit's mean activation over the images, in {BINS} bins between its lowest and "
    "highest: a unit that always says the same tells nothing.",
)
def activation_entropy(context: Context) -> Scores:
    means = _watched(
        context, lambda a, labels: a.mean(2).double(), lambda old, new: torch.cat([old, new])
    )
    return {
        name: _entropy(torch.stack([_histogram(column) for column in values.T]))
        for name, values in means.items()
    }


def _histogram(values: torch.Tensor) -> torch.Tensor:
    low, high = float(values.min()), float(values.max())
    if not high > low:
        return torch.tensor([len(values)] + [0] * (BINS - 1), dtype=torch.float64)
    bins = ((values - low) / (high - low) * BINS).long().clamp(max=BINS - 1)
    return torch.bincount(bins, minlength=BINS).double()


@criterion(
    "class_entropy",
    label="Class entropy",
    formula=r"\log K - H(\text{class} \mid \text{unit active})",
    source="information gain",
    applies_to=(*UNITS, "feature"),
    needs_data=True,
    variant_methods=(*UNITS, "feature"),
    variants={"entropy": "Entropy", "gini": "Gini impurity"},
    help="How much it tells about the class, of equally frequent ones, that the unit is active: above zero behind its "
    "ReLU (each position of a channel counts), or a pixel brighter than the mean. With the Gini impurity in place of "
    "the entropy if chosen.",
)
def class_entropy(context: Context) -> Scores:
    if context.method == "feature":
        [(name, group)] = context.groups.items()
        active = lambda x: (x.mean(1, keepdim=True) if group.shape[0] == 1 else x).flatten(1) > 0  # noqa: E731
        counts = {
            name: sum(
                _per_class(active(x), labels, context.classes) for x, labels in context.batches()
            )
        }
    else:
        counts = _watched(
            context,
            lambda a, labels: _per_class((a > 0).sum(2), labels, context.classes),
            torch.add,
        )
    return {name: _told(count.T, context.variant) for name, count in counts.items()}


def _per_class(active: torch.Tensor, labels: torch.Tensor, classes: int) -> torch.Tensor:
    """(B, units) -> (classes, units): how often each is active on images of each class."""
    return torch.zeros(classes, active.shape[1], dtype=torch.float64).index_add_(
        0, labels, active.double()
    )


def _told(counts: torch.Tensor, measure: str) -> torch.Tensor:
    """(units, classes) -> (units,); a unit that is never active tells nothing."""
    classes = counts.shape[1]
    p = counts / counts.sum(1, keepdim=True).clamp(min=1)
    told = (
        (math.log(classes) - _entropy(counts))
        if measure == "entropy"
        else p.square().sum(1) - 1 / classes
    )
    return torch.where(counts.sum(1) > 0, told.clamp(min=0), 0.0)


def _entropy(counts: torch.Tensor) -> torch.Tensor:
    """(units, bins) -> (units,), natural logarithm."""
    p = counts / counts.sum(1, keepdim=True).clamp(min=1)
    return -torch.xlogy(p, p).sum(1)


def _with_count(a: torch.Tensor) -> torch.Tensor:
    """(B, units, positions) -> (2, units): sums, and how many were added."""
    sums = a.sum((0, 2), dtype=torch.float64)
    return torch.stack([sums, torch.full_like(sums, a.shape[0] * a.shape[2])])


def _means(sums: Scores) -> Scores:
    return {name: total / count for name, (total, count) in sums.items()}


def _watched(
    context: Context,
    reduce: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    join: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> Scores:
    """``reduce(activations (B, units, positions), labels)`` of every batch, joined.

    Tied channels appear at several places of the same size: each counts as more positions.
    """
    outputs: dict[str, torch.Tensor] = {}
    names = {place for group in context.groups.values() for place in group.activations}
    hooks = [
        context.model.get_submodule(name).register_forward_hook(
            lambda _, __, output, name=name: outputs.update({name: output})
        )
        for name in names
    ]
    found: Scores = {}
    for x, labels in context.batches():
        context.model(x)
        for name, group in context.groups.items():
            a = torch.cat(
                [outputs[place].reshape(len(x), group.units, -1) for place in group.activations], 2
            )
            new = reduce(a, labels)
            found[name] = join(found[name], new) if name in found else new
    for hook in hooks:
        hook.remove()
    return found
