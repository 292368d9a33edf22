"""What can be removed. A method names its units and says which parameters each of them is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from pruning.networks import prunable
from pruning.registry import Registry, register


@dataclass(frozen=True)
class Method:
    """``function(model, removed) -> {parameter name: kept}``, from (units,) bool per layer to parameter shapes."""

    name: str
    function: Callable[[nn.Module, Mapping[str, torch.Tensor]], dict[str, torch.Tensor]]
    label: str
    unit: str
    help: str


METHODS: Registry[Method] = Registry("method")


def method(name: str, **info) -> Callable:
    return register(METHODS, Method, name, **info)


@method("weight", label="Weights", unit="weight",
        help="Single weights of convolution and linear layers are set to zero (unstructured pruning).")
def weight(model: nn.Module, removed: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    layers = prunable(model)
    return {f"{name}.weight": ~gone.view(layers[name].weight.shape) for name, gone in removed.items()}
