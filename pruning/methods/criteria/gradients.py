"""Criteria that estimate the change of the loss: the mean cross-entropy of calibration images."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import cast

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.grad import conv2d_weight

from pruning.methods.criteria.base import Context, Scores, criterion
from pruning.methods.units import UnitGroup, is_block
from pruning.models import prunable
from pruning.models.activations import record_activations


@criterion(
    "gradient",
    label="Gradient",
    source="mean gradient over the calibration images",
    needs_data=True,
    formula=r"\left| \partial L / \partial w \right| \;\text{ or }\; "
    r"\left| \partial L / \partial a \right|",
    applies_to=("weight", "neuron", "filter", "layer"),
    help="How steeply the loss changes with the weight; for filters and layers the sum over their "
    "weights, for neurons with the activation, over all its positions.",
)
def gradient(context: Context) -> Scores:
    """Score units by the absolute mean gradient of their weights or activations."""
    if context.method == "neuron":
        return _absolute_sums(
            context, lambda group: group.measured_at, lambda activation: activation.gradient
        )
    gradients = _mean_gradients(context)
    if context.method == "weight":
        return {name: gradients[name].abs() for name in context.groups}
    scores = {}
    for name, group in context.groups.items():
        vectors = context.vectors(group, gradients.__getitem__)
        scores[name] = torch.stack([vector.abs().sum() for vector in vectors])
    return scores


@criterion(
    "taylor",
    label="Taylor",
    source="SNIP, Lee et al. 2019 (weights); Molchanov et al. 2017, 2019",
    needs_data=True,
    formula=r"\left| w \, \partial L / \partial w \right| \;\text{ or }\; "
    r"\left| \sum a \, \partial L / \partial a \right|",
    applies_to=("weight", "neuron", "filter", "layer"),
    help="The first-order estimate of how much the mean loss changes when the unit gives zero; the "
    "sum over images and positions comes before the absolute value, so that changes of opposite "
    "sign cancel.",
)
def taylor(context: Context) -> Scores:
    """Score units by the first-order estimate of the loss change when their output is zero."""
    if context.method == "weight":
        gradients = _mean_gradients(context)
        return {name: (context.weight(name) * gradients[name]).abs() for name in context.groups}
    if context.method == "layer":
        return _taylor_of_layers(context)
    # At the modules where a mask makes the output zero. The sum would be the same after a ReLU
    # or a max-pooling.
    return _absolute_sums(context, lambda group: group.norms or group.layers, _first_order_term)


@criterion(
    "fisher",
    label="Fisher",
    formula=r"\tfrac12 \, w^2 \, \mathbb{E}[g^2]",
    needs_data=True,
    applies_to=("weight",),
    source="Optimal Brain Damage, LeCun et al. 1990; diagonal empirical Fisher, Theis et al. 2018",
    help="The second-order estimate of how much the loss grows without the weight; g is the "
    "gradient of one image's loss.",
)
def fisher(context: Context) -> Scores:
    """Score weights by their square times the mean squared gradient of single images."""
    images = context.calibration
    squares = {name: torch.zeros_like(context.weight(name)) for name in context.groups}
    with record_activations(context.model, context.groups, keep_outputs=False) as recorded:
        for activations in _backward_passes(context, list(context.groups)):
            for name, activation in activations.items():
                inputs = recorded.inputs[name].detach()
                gradients = activation.gradient * images  # of each image's own loss
                layer = cast(nn.Conv2d | nn.Linear, context.model.get_submodule(name))
                squares[name] += _squared_gradients(layer, inputs, gradients)
    return {
        name: 0.5 * context.weight(name) ** 2 * total / images for name, total in squares.items()
    }


def _squared_gradients(
    layer: nn.Conv2d | nn.Linear, inputs: torch.Tensor, gradients: torch.Tensor
) -> torch.Tensor:
    """Sum over images of the squared gradients of the weight, from those of the outputs."""
    if isinstance(layer, nn.Linear):
        return gradients.square().T @ inputs.square()
    images = len(inputs)  # each image is a group of its own in one convolution
    by_image = conv2d_weight(
        inputs.reshape(1, -1, *inputs.shape[2:]),
        (images * layer.out_channels, *layer.weight.shape[1:]),
        gradients.reshape(1, -1, *gradients.shape[2:]),
        layer.stride,
        layer.padding,
        layer.dilation,
        groups=images * layer.groups,
    )
    return by_image.view(images, *layer.weight.shape).square().sum(0)


def _mean_gradients(context: Context) -> dict[str, torch.Tensor]:
    """Gradient of the mean loss for every prunable weight, by name of the layer."""
    layers = list(prunable(context.model))
    weights = [context.weight(layer) for layer in layers]
    totals = [torch.zeros_like(weight) for weight in weights]
    for weight in weights:
        weight.requires_grad_()
    try:
        for x, labels in context.batches():
            gradients = torch.autograd.grad(_partial_loss(context, x, labels), weights)
            for total, part in zip(totals, gradients, strict=True):
                total += part
    finally:
        for weight in weights:
            weight.requires_grad_(False)
    return dict(zip(layers, totals, strict=True))


def _partial_loss(context: Context, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Contribution of a batch to the mean loss of all calibration images."""
    return F.cross_entropy(context.model(x), labels, reduction="sum") / context.calibration


@dataclass(frozen=True, eq=False)
class _Activation:
    """Output (B, C, ...) of a module for one batch, and the gradient of the mean loss there."""

    output: torch.Tensor
    gradient: torch.Tensor


def _first_order_term(activation: _Activation) -> torch.Tensor:
    return activation.output * activation.gradient


def _backward_passes(context: Context, names: Sequence[str]) -> Iterator[dict[str, _Activation]]:
    """Yield the activations and gradients at some modules by name, batch by batch."""
    with record_activations(context.model, names, keep_inputs=False) as recorded:
        for x, labels in context.batches():
            loss = _partial_loss(context, x.requires_grad_(), labels)
            gradients = torch.autograd.grad(loss, list(recorded.outputs.values()))
            activations = {}
            for name, part in zip(recorded.outputs, gradients, strict=True):
                activations[name] = _Activation(recorded.outputs[name].detach(), part)
            yield activations


def _taylor_of_layers(context: Context) -> Scores:
    """First-order estimate for whole layers; of a block, at the end of its residual branch.

    Of a subnetwork, the sum over its members: all their outputs are zero together.
    """
    outputs = {}
    for group in context.groups.values():
        for name in chain.from_iterable(group.members):
            outputs[name] = f"{name}.bn2" if is_block(context.model, name) else name
    sums = dict.fromkeys(outputs, 0.0)
    for activations in _backward_passes(context, list(outputs.values())):
        for name, module in outputs.items():
            term = _first_order_term(activations[module])
            sums[name] += float(term.sum(dtype=torch.float64))
    scores = {}
    for name, group in context.groups.items():
        totals = []
        for members in group.members:
            totals.append(sum(sums[member] for member in members))
        scores[name] = torch.tensor(totals).abs()
    return scores


def _absolute_sums(
    context: Context,
    modules_of: Callable[[UnitGroup], tuple[str, ...]],
    term_of: Callable[[_Activation], torch.Tensor],
) -> Scores:
    """Absolute sum of ``term_of(activation)`` over images, positions and the group's modules."""
    modules = {name: modules_of(group) for name, group in context.groups.items()}
    sums = {
        name: torch.zeros(group.units, dtype=torch.float64)
        for name, group in context.groups.items()
    }
    recorded = list(chain.from_iterable(modules.values()))
    for activations in _backward_passes(context, recorded):
        for name, group in context.groups.items():
            for module in modules[name]:
                term = term_of(activations[module])
                term = term.reshape(len(term), group.units, -1)  # (B, units, positions)
                sums[name] += term.sum((0, 2), dtype=torch.float64)
    return {name: total.abs() for name, total in sums.items()}
