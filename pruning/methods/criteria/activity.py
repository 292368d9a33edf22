"""Criteria that use activations on the calibration images, after the units' ReLU."""

import math
from collections.abc import Callable
from itertools import chain
from typing import cast

import torch
from torch import nn
from torch.nn import functional as F

from pruning.methods.criteria.base import Context, Scores, criterion
from pruning.models.activations import record_activations

BINS = 32
CHANNELS = ("neuron", "filter")


@criterion(
    "wanda",
    label="Wanda",
    formula=r"|w_{ij}| \cdot \lVert x_j \rVert_2 \text{ among the weights of output } i",
    source="Sun et al. 2023",
    applies_to=("weight",),
    needs_data=True,
    help="The weight times the norm of its input, over all calibration images and positions. "
    "Weights are compared within one output only, so the score is the share of the output's "
    "weights for which this product is lower.",
)
def wanda(context: Context) -> Scores:
    """Score weights by the rank of |weight| x |input| within their output, as a share."""
    totals: Scores = {}

    def add_squares(
        name: str, layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor
    ) -> None:
        sums = _squared_input_sums(layer, inputs[0])
        totals[name] = totals[name] + sums if name in totals else sums

    with record_activations(
        context.model, context.groups, add_squares, keep_inputs=False, keep_outputs=False
    ):
        for x, _ in context.batches():
            context.model(x)
    scores = {}
    for name, total in totals.items():
        weight = context.weight(name)
        by_part = weight.reshape(len(total), -1, total.shape[1])  # (parts, outputs, inputs)
        importance = (by_part.abs() * total.sqrt()[:, None]).view(len(weight), -1)
        scores[name] = _share_below(importance, context.surviving_units.get(name))
    return scores


def _squared_input_sums(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Sum of the squared inputs of each weight, (parts of the layer, inputs) float64."""
    if isinstance(layer, nn.Conv2d):
        squares = x.square().sum(0, keepdim=True)  # (1, C, H, W)
        padding = cast(tuple[int, int], layer.padding)  # never a string such as "same" here
        patches = F.unfold(squares, layer.kernel_size, layer.dilation, padding, layer.stride)
        return patches[0].sum(1, dtype=torch.float64).view(layer.groups, -1)  # over positions
    return x.square().sum(0, keepdim=True).double()


def _share_below(values: torch.Tensor, surviving: torch.Tensor | None) -> torch.Tensor:
    """Share of each row's surviving values that come before each value, ties by index.

    ``values`` is (rows, n) and nonnegative; ``surviving`` (rows * n,) bool, None for all.
    """
    if surviving is not None:
        values = torch.where(surviving.view(values.shape), values, -1.0)
    removed = (values < 0).sum(1, keepdim=True)
    ranks = values.sort(dim=1, stable=True).indices.argsort(1)
    return (ranks - removed).clamp(min=0) / (values.shape[1] - removed).clamp(min=1)


@criterion(
    "activation",
    label="Activation",
    formula=r"\text{mean } |a| \text{, } \max a \text{ or } \lVert a \rVert_2",
    source="over calibration images and positions",
    applies_to=CHANNELS,
    needs_data=True,
    variant_methods=CHANNELS,
    variants={"mean": "mean |a|", "max": "max a", "l2": "L2 norm"},
    help="The size of the unit's activations after its ReLU: inactive units are removed first.",
)
def activation(context: Context) -> Scores:
    """Score channels by the mean, the maximum or the norm of their activations."""
    if context.variant == "max":
        return _reduce_activations(context, _maxima, torch.maximum)
    if context.variant == "l2":
        squares = _reduce_activations(context, _sums_of_squares, torch.add)
        return {name: total.sqrt() for name, total in squares.items()}
    return _means(_reduce_activations(context, _absolute_sums_and_counts, torch.add))


@criterion(
    "apoz",
    label="APoZ",
    formula=r"1 - \text{average percentage of zeros}",
    source="Hu et al. 2016",
    applies_to=CHANNELS,
    needs_data=True,
    help="The share of images and positions at which the unit is not zero after its ReLU.",
)
def apoz(context: Context) -> Scores:
    """Score channels by the share of nonzero activations."""
    return _means(_reduce_activations(context, _nonzeros_and_counts, torch.add))


@criterion(
    "activation_entropy",
    label="Activation entropy",
    formula=r"-\sum_b p_b \log p_b",
    source="Luo & Wu 2017",
    applies_to=CHANNELS,
    needs_data=True,
    help=f"The entropy of the unit's mean activation over the images, in {BINS} bins between its "
    "lowest and highest: a unit with a constant activation carries no information.",
)
def activation_entropy(context: Context) -> Scores:
    """Score channels by the entropy of their mean activation over the images."""
    means = _reduce_activations(context, _means_by_image, _concatenated)
    scores = {}
    for name, values in means.items():  # (images, units)
        histograms = torch.stack([_histogram(unit) for unit in values.T])
        scores[name] = _entropy(histograms)
    return scores


def _histogram(values: torch.Tensor) -> torch.Tensor:
    """Count values in equal bins between the lowest and the highest, (bins,) float64."""
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
    applies_to=(*CHANNELS, "feature"),
    needs_data=True,
    variant_methods=(*CHANNELS, "feature"),
    variants={"entropy": "Entropy", "gini": "Gini impurity"},
    help="The information about the class, of equally frequent ones, in whether the unit is "
    "active: above zero after its ReLU (each position of a channel counts); a pixel if it is "
    "brighter than the mean. The Gini impurity can replace the entropy.",
)
def class_entropy(context: Context) -> Scores:
    """Score channels or pixels by the information about the class when they are active."""
    if context.method == "feature":
        counts = _active_pixels_by_class(context)
    else:
        counts = _reduce_activations(context, _active_counter(context.classes), torch.add)
    return {name: _information_gain(count.T, context.variant) for name, count in counts.items()}


def _active_pixels_by_class(context: Context) -> Scores:
    [(name, group)] = context.groups.items()
    counts = torch.zeros(context.classes, group.units, dtype=torch.float64)
    for x, labels in context.batches():
        pixels = x.mean(1, keepdim=True) if group.shape[0] == 1 else x
        counts += _sum_by_class(pixels.flatten(1) > 0, labels, context.classes)
    return {name: counts}


def _sum_by_class(active: torch.Tensor, labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Sum (B, units) over the images of each class: (classes, units) float64."""
    counts = torch.zeros(classes, active.shape[1], dtype=torch.float64)
    return counts.index_add_(0, labels, active.double())


def _information_gain(counts: torch.Tensor, variant: str) -> torch.Tensor:
    """(units, classes) -> (units,); zero for a unit that is never active."""
    classes = counts.shape[1]
    totals = counts.sum(1)
    if variant == "entropy":
        gain = math.log(classes) - _entropy(counts)
    else:
        frequencies = counts / totals[:, None].clamp(min=1)
        gain = frequencies.square().sum(1) - 1 / classes
    return torch.where(totals > 0, gain.clamp(min=0), 0.0)


def _entropy(counts: torch.Tensor) -> torch.Tensor:
    """Entropy of each row in nats, (units, bins) -> (units,)."""
    frequencies = counts / counts.sum(1, keepdim=True).clamp(min=1)
    return -torch.xlogy(frequencies, frequencies).sum(1)


# ------------------------------------------------------- activations of all calibration images

# From activations (B, units, positions) and labels (B,) to a tensor for the batch.
Reduction = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def _reduce_activations(
    context: Context,
    reduce_batch: Reduction,
    combine: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> Scores:
    """Reduce the activations of each group batch by batch, and combine the results.

    Tied channels have several ReLUs of the same size: each counts as more positions.
    """
    activations = (group.measured_at for group in context.groups.values())
    relus = set(chain.from_iterable(activations))
    results: Scores = {}
    with record_activations(context.model, relus, keep_inputs=False) as recorded:
        for x, labels in context.batches():
            context.model(x)
            for name, group in context.groups.items():
                parts = [
                    group.by_unit(module, recorded.outputs[module], dim=1)
                    for module in group.measured_at
                ]
                result = reduce_batch(torch.cat(parts, 2), labels)
                results[name] = combine(results[name], result) if name in results else result
    return results


def _maxima(a: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return a.amax((0, 2))


def _sums_of_squares(a: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return a.double().square().sum((0, 2))


def _absolute_sums_and_counts(a: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return _sums_and_counts(a.abs())


def _nonzeros_and_counts(a: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return _sums_and_counts(a != 0)


def _means_by_image(a: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return a.mean(2).double()  # (B, units)


def _active_counter(classes: int) -> Reduction:
    """Return a reduction that counts active positions by class, (classes, units)."""

    def count(a: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return _sum_by_class((a > 0).sum(2), labels, classes)

    return count


def _concatenated(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.cat([a, b])


def _sums_and_counts(a: torch.Tensor) -> torch.Tensor:
    """(B, units, positions) -> (2, units) float64: sums, and numbers of values."""
    sums = a.sum((0, 2), dtype=torch.float64)
    return torch.stack([sums, torch.full_like(sums, a.shape[0] * a.shape[2])])


def _means(sums_and_counts: Scores) -> Scores:
    return {name: sums / count for name, (sums, count) in sums_and_counts.items()}
