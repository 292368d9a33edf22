"""What a network costs: parameters and multiply-accumulates (MACs; FLOPs = 2 x MACs)."""

import copy
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from pruning.datasets import DATASETS
from pruning.networks import build, prunable


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
    with torch.device("meta"):
        return measured(build(network, channels=data.channels, size=data.size, classes=len(data.classes)), dataset)


def measured(model: nn.Module, dataset: str) -> Cost:
    """Counted on a copy without data, by PyTorch's own FLOP counter."""
    data = DATASETS[dataset]
    model = copy.deepcopy(model).to("meta").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.empty(1, data.channels, data.size, data.size, device="meta"))
    flops = {name.partition(".")[2]: sum(ops.values()) for name, ops in counter.get_flop_counts().items()}
    layers = tuple(LayerCost(name, type(layer).__name__, tuple(layer.weight.shape), layer.weight.numel(),
                             flops[name] // 2) for name, layer in prunable(model).items())
    return Cost(sum(p.numel() for p in model.parameters()), layers)
