"""Removal of plain layers: the layer after each gap is refitted to its new inputs."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise

import torch
from torch import nn

from pruning.inference.prefix_cache import forward
from pruning.methods.least_squares import RIDGE, Moments, ridge_fit
from pruning.methods.masks import Masks
from pruning.methods.units import expand_rows
from pruning.models import prunable

Batches = Callable[[], Iterable[torch.Tensor]]


def remove_layers(
    model: nn.Sequential,
    parameters: Mapping[str, torch.Tensor],
    names: Iterable[str],
    batches: Batches,
) -> tuple[nn.Sequential, dict[str, torch.Tensor]]:
    """Remove layers, and refit each linear layer whose inputs change.

    A refitted layer approximates its former outputs by `least_squares`.

    Parameters
    ----------
    model : nn.Sequential
        Network in eval mode, not modified.
    parameters : mapping of str to torch.Tensor
        Masked parameters that replace those of the model.
    names : iterable of str
        Stages to remove; a linear layer must follow each of them.
    batches : callable
        Returns the calibration images, normalised, (B, C, H, W) each; called once for each
        refitted layer.

    Returns
    -------
    refitted_model : nn.Sequential
        The new network.
    parameters : dict of str to torch.Tensor
        Those of `parameters` that still fit it.

    Raises
    ------
    TypeError
        If a layer that must be refitted is not linear.
    """
    removed = set(names)
    dense = dict(parameters)
    parameters = dict(parameters)
    stages: OrderedDict[str, nn.Module] = OrderedDict()
    for name, stage in model.named_children():
        stages[name] = nn.Identity() if name in removed else stage
    for name in _layers_after_gaps(model, removed):
        layer = stages[name]
        if not isinstance(layer, nn.Linear):
            raise TypeError(f"{name} is not linear: only a linear layer can be refitted")
        parameters = _without_stage(parameters, name)
        position = list(stages).index(name)
        stages_before = OrderedDict(list(stages.items())[:position])
        new_inputs = forward(nn.Sequential(stages_before), parameters)
        former_outputs = forward(model[: position + 1], dense)
        stages[name] = least_squares(
            ((new_inputs(x), former_outputs(x)) for x in batches()),
            has_bias=layer.bias is not None,
        )
    for name in removed:
        parameters = _without_stage(parameters, name)
    return nn.Sequential(stages).eval(), parameters


def carry_masks(masks: Masks, model: nn.Module, refitted_model: nn.Module) -> Masks:
    """Return the masks that hold for a network after `remove_layers`.

    Parameters
    ----------
    masks : Masks
        Masks of `model`.
    model, refitted_model : nn.Module
        Network before and after; parameters that were not refitted are shared.

    Returns
    -------
    Masks
        The masks of shared parameters and of the images are the same. Output units of a refitted
        layer that were removed stay removed, but its single weights are kept again. Removed
        layers have no masks.
    """
    before = dict(model.named_parameters())
    after = dict(refitted_model.named_parameters())
    carried = {}
    for name, mask in masks.items():
        if name == "input":
            carried[name] = mask
        elif name not in after:
            continue
        elif after[name] is before[name]:
            carried[name] = mask
        else:
            layer = name.rpartition(".")[0]
            surviving_outputs = masks[f"{layer}.weight"].flatten(1).any(1)
            carried[name] = expand_rows(surviving_outputs, after[name].shape)
    return Masks(carried)


def least_squares(
    pairs: Iterable[tuple[torch.Tensor, torch.Tensor]],
    ridge: float = RIDGE,
    *,
    has_bias: bool = True,
) -> nn.Linear:
    """Fit a linear layer with the least squared error over all batches.

    Parameters
    ----------
    pairs : iterable of (torch.Tensor, torch.Tensor)
        Batches of inputs (B, i) and outputs (B, o).
    ridge : float
        Penalty of the squared weights, in units of the inputs' mean variance. The bias has none.
    has_bias : bool
        Whether the layer has a bias.

    Returns
    -------
    nn.Linear
        Layer from i inputs to o outputs, in the dtype of the outputs.
    """
    moments: Moments | None = None
    dtype = torch.float32
    for x, y in pairs:
        dtype = y.dtype
        batch = Moments.of(x.double(), y.double())
        moments = batch if moments is None else moments + batch
    assert moments is not None, "there is no batch"
    fit = ridge_fit(moments, ridge=ridge, has_bias=has_bias)
    outputs, inputs = fit.weight.shape
    # Without memory at first: initial weights would use random numbers.
    layer = nn.Linear(inputs, outputs, bias=has_bias, device="meta")
    layer.weight = nn.Parameter(fit.weight.to(dtype), requires_grad=False)
    if fit.bias is not None:
        layer.bias = nn.Parameter(fit.bias.to(dtype), requires_grad=False)
    return layer


def _layers_after_gaps(model: nn.Module, removed: set[str]) -> list[str]:
    """Layers that remain and whose predecessor is removed."""
    return [
        after
        for before, after in pairwise(prunable(model))
        if before in removed and after not in removed
    ]


def _without_stage(parameters: Mapping[str, torch.Tensor], stage: str) -> dict[str, torch.Tensor]:
    return {name: value for name, value in parameters.items() if not name.startswith(f"{stage}.")}
