"""Masked parameters for the tests of inference, made without a recipe."""

import torch
from torch import nn

from pruning.models import prunable


def smallest_weights_removed(
    model: nn.Module, share: float, layers: list[str] | None = None
) -> dict[str, torch.Tensor]:
    """Weights of some or all layers; a share of each layer, the smallest, is zero."""
    parameters = {}
    for name in layers or list(prunable(model)):
        weight = model.get_parameter(f"{name}.weight").detach()
        count = round(share * weight.numel())
        masked = weight.flatten().clone()
        masked[masked.abs().argsort()[:count]] = 0
        parameters[f"{name}.weight"] = masked.view_as(weight)
    return parameters


def half_of_the_channels_removed(model: nn.Module) -> dict[str, torch.Tensor]:
    """All parameters but those of the classifier; the first half of their outputs is zero."""
    classifier = list(prunable(model))[-1]
    parameters = {}
    for name, parameter in model.named_parameters():
        if not name.startswith(f"{classifier}."):
            masked = parameter.detach().clone()
            masked[: len(masked) // 2] = 0
            parameters[name] = masked
    return parameters
