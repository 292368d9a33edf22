"""What a network costs: parameters and multiply-accumulates (MACs; FLOPs = 2 x MACs)."""

import copy
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import nn

from pruning.data.datasets import DATASETS
from pruning.models import build, prunable


@dataclass(frozen=True)
class LayerCost:
    """``weights`` of a layer and the ``macs`` that they take part in for one image."""

    name: str
    kind: str
    shape: tuple[int, ...]
    weights: int
    macs: int


@dataclass(frozen=True)
class Cost:
    """Of a dense network, for one image. ``parameters`` counts all of them, biases and batch norm too."""

    parameters: int
    layers: tuple[LayerCost, ...]

    @property
    def prunable_weights(self) -> int:
        return sum(layer.weights for layer in self.layers)

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)


@lru_cache
def cost(network: str, dataset: str) -> Cost:
    """Of an untouched network."""
    data = DATASETS[dataset]
    return measure_cost(
        build(network, channels=data.channels, size=data.size, classes=len(data.classes)), dataset
    )


def measure_cost(model: nn.Module, dataset: str) -> Cost:
    """Counted on one image and a copy, with hooks of its own: a counter for all modules would count other threads, too."""
    data = DATASETS[dataset]
    model = copy.deepcopy(model).eval()
    layers = prunable(model)
    positions: dict[
        str, int
    ] = {}  # at each of them every weight takes part in one multiply-accumulate
    for name, layer in layers.items():
        layer.register_forward_hook(
            lambda _, __, output, name=name: positions.update({name: output[0, 0].numel()})
        )
    with torch.inference_mode():
        model(torch.zeros(1, data.channels, data.size, data.size))
    return Cost(
        sum(p.numel() for p in model.parameters()),
        tuple(
            LayerCost(
                name,
                type(layer).__name__,
                tuple(layer.weight.shape),
                layer.weight.numel(),
                layer.weight.numel() * positions[name],
            )
            for name, layer in layers.items()
        ),
    )
