"""Criteria that ask how the loss would change. The loss is the mean cross-entropy over the calibration images."""

from collections.abc import Callable, Iterator

import torch
from torch import nn
from torch.nn import functional as F

from pruning.methods.criteria.base import Context, Scores, criterion
from pruning.methods.units import UnitGroup, is_block
from pruning.models import prunable


@criterion(
    "gradient",
    label="Gradient",
    source="mean gradient over the calibration images",
    needs_data=True,
    formula=r"\left| \partial L / \partial w \right| \;\text{ or }\; \left| \partial L / \partial a \right|",
    applies_to=("weight", "neuron", "filter", "layer"),
    help="How steeply the loss changes with the weight; for filters and layers the sum over their weights, for "
    "neurons with the activation, over all its positions.",
)
def gradient(context: Context) -> Scores:
    if context.method == "neuron":
        return _over_activations(context, lambda group: group.activations, lambda a, g: g)
    means = _mean_gradients(context)
    if context.method == "weight":
        return {name: means[name].abs() for name in context.groups}
    return {
        name: torch.stack([v.abs().sum() for v in context.vectors(group, means.__getitem__)])
        for name, group in context.groups.items()
    }


@criterion(
    "taylor",
    label="Taylor",
    source="SNIP, Lee et al. 2019 (weights); Molchanov et al. 2017, 2019",
    needs_data=True,
    formula=r"\left| w \, \partial L / \partial w \right| \;\text{ or }\; "
    r"\left| \sum a \, \partial L / \partial a \right|",
    applies_to=("weight", "neuron", "filter", "layer"),
    help="The first-order estimate of how much the mean loss changes when the unit gives zero; the sum over images "
    "and positions comes before the absolute value, so that changes of opposite sign cancel.",
)
def taylor(context: Context) -> Scores:
    if context.method == "weight":
        means = _mean_gradients(context)
        return {name: (context.weight(name) * means[name]).abs() for name in context.groups}
    if context.method == "layer":
        outputs = {
            name: _output(context.model, name)
            for group in context.groups.values()
            for name in group.names
        }
        sums = {name: 0.0 for name in outputs}
        for watched in _backward(context, list(outputs.values())):
            for name, place in outputs.items():
                a, g = watched[place]
                sums[name] += float((a * g).sum(dtype=torch.float64))
        return {
            name: torch.tensor([abs(sums[unit]) for unit in group.names])
            for name, group in context.groups.items()
        }
    # At the places where a mask silences the unit. Behind a ReLU or a max-pooling the sum would be the same.
    return _over_activations(context, lambda group: group.norms or group.layers, lambda a, g: a * g)


@criterion(
    "fisher",
    label="Fisher",
    formula=r"\tfrac12 \, w^2 \, \mathbb{E}[g^2]",
    needs_data=True,
    applies_to=("weight",),
    source="Optimal Brain Damage, LeCun et al. 1990; diagonal empirical Fisher, Theis et al. 2018",
    help="The second-order estimate of how much the loss grows without the weight; g is the gradient of one "
    "image's loss.",
)
def fisher(context: Context) -> Scores:
    squares = {name: torch.zeros_like(context.weight(name)) for name in context.groups}
    inputs: dict[str, torch.Tensor] = {}
    layers = prunable(context.model)
    hooks = [
        layers[name].register_forward_pre_hook(
            lambda _, given, name=name: inputs.update({name: given[0].detach()})
        )
        for name in context.groups
    ]
    for watched in _backward(context, list(context.groups)):
        for name in context.groups:
            squares[name] += _squared_gradients(
                layers[name], inputs[name], watched[name][1] * context.calibration
            )
    for hook in hooks:
        hook.remove()
    return {
        name: 0.5 * context.weight(name) ** 2 * total / context.calibration
        for name, total in squares.items()
    }


def _squared_gradients(layer: nn.Module, x: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
    """The sum over images of the squared gradients of the weight, from its inputs and the outputs' gradients."""
    if isinstance(layer, nn.Linear):
        return g.square().T @ x.square()
    images = len(x)  # each image is a group of its own in one convolution
    each = torch.nn.grad.conv2d_weight(
        x.reshape(1, -1, *x.shape[2:]),
        (images * layer.out_channels, *layer.weight.shape[1:]),
        g.reshape(1, -1, *g.shape[2:]),
        layer.stride,
        layer.padding,
        layer.dilation,
        groups=images,
    )
    return each.view(images, *layer.weight.shape).square().sum(0)


def _output(model: nn.Module, name: str) -> str:
    """Where a layer's own path ends: a residual block's before the addition."""
    return f"{name}.bn2" if is_block(model, name) else name


def _mean_gradients(context: Context) -> dict[str, torch.Tensor]:
    """Of every prunable weight."""
    weights = {
        name: layer.weight.requires_grad_() for name, layer in prunable(context.model).items()
    }
    totals = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for x, labels in context.batches():
        loss = F.cross_entropy(context.model(x), labels, reduction="sum") / context.calibration
        for total, part in zip(totals.values(), torch.autograd.grad(loss, list(weights.values()))):
            total += part
    for weight in weights.values():
        weight.requires_grad_(False)
    return totals


def _backward(
    context: Context, names: list[str]
) -> Iterator[dict[str, tuple[torch.Tensor, torch.Tensor]]]:
    """Batch by batch, for each module of ``names``: its output and the loss's gradient there, (B, C, ...)."""
    outputs: dict[str, torch.Tensor] = {}
    hooks = [
        context.model.get_submodule(name).register_forward_hook(
            lambda _, __, output, name=name: outputs.update({name: output})
        )
        for name in names
    ]
    for x, labels in context.batches():
        loss = (
            F.cross_entropy(context.model(x.requires_grad_()), labels, reduction="sum")
            / context.calibration
        )
        slopes = torch.autograd.grad(loss, list(outputs.values()))
        yield {name: (a.detach(), g) for (name, a), g in zip(outputs.items(), slopes)}
    for hook in hooks:
        hook.remove()


def _over_activations(
    context: Context,
    places: Callable[[UnitGroup], tuple[str, ...]],
    value: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> Scores:
    """|sum of value(a, dL/da)| over images, positions and the places where the unit appears."""
    at = {name: places(group) for name, group in context.groups.items()}
    sums = {
        name: torch.zeros(group.units, dtype=torch.float64)
        for name, group in context.groups.items()
    }
    for watched in _backward(context, [place for found in at.values() for place in found]):
        for name, found in at.items():
            for place in found:
                a, g = watched[place]
                each = value(a, g).reshape(
                    len(a), context.groups[name].units, -1
                )  # (B, units, positions)
                sums[name] += each.sum((0, 2), dtype=torch.float64)
    return {name: total.abs() for name, total in sums.items()}
