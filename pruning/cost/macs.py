"""Parameters and multiply-accumulates (MACs) of a network; FLOPs = 2 x MACs."""

import copy
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import nn

from pruning.data.datasets import DATASETS
from pruning.models import build, prunable
from pruning.models.activations import record_activations


@dataclass(frozen=True)
class Cost:
    """Totals of a network.

    Parameters
    ----------
    parameters
        Number of all parameters, biases and batch norm included.
    macs
        Multiply-accumulates of the convolution and linear layers for one image.
    """

    parameters: int
    macs: int


@dataclass(frozen=True)
class LayerCost:
    """Cost of one prunable layer.

    Parameters
    ----------
    name
        Qualified name of the layer in its network.
    kind
        Name of the module's class, such as ``"Conv2d"``.
    shape
        Shape of the weight tensor.
    weights
        Number of weights, without the bias.
    macs
        Multiply-accumulates for one image.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    weights: int
    macs: int


@dataclass(frozen=True)
class CostByLayer:
    """Cost of a network, layer by layer.

    Parameters
    ----------
    parameters
        Number of all parameters, biases and batch norm included.
    layers
        Costs of the prunable layers, in the order of the network.
    """

    parameters: int
    layers: tuple[LayerCost, ...]

    @property
    def prunable_weights(self) -> int:
        """Number of weights of all prunable layers."""
        return sum(layer.weights for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all prunable layers for one image."""
        return sum(layer.macs for layer in self.layers)


@lru_cache
def dense_cost(network: str, dataset: str) -> CostByLayer:
    """Count the cost of a network before pruning.

    Parameters
    ----------
    network
        A key of ``NETWORKS``.
    dataset
        A key of ``DATASETS``; its images define the input shape and the number of classes.

    Returns
    -------
    CostByLayer
        The cost, cached for the lifetime of the process.

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    data = DATASETS[dataset]
    model = build(network, channels=data.channels, size=data.size, classes=len(data.classes))
    return measure_cost(model, dataset)


def measure_cost(model: nn.Module, dataset: str) -> CostByLayer:
    """Count the cost of a given model on one image.

    The layers are recorded in a copy, so that neither the model nor a concurrent forward pass in
    another thread is affected.

    Parameters
    ----------
    model
        Any network for the images of the dataset; not modified.
    dataset
        A key of ``DATASETS``.

    Returns
    -------
    CostByLayer
        The cost of the model as it is, without regard to zeros in its weights.

    Raises
    ------
    ValueError
        If the dataset is unknown.
    """
    data = DATASETS[dataset]
    model = copy.deepcopy(model).eval()
    layers = prunable(model)
    with record_activations(model, layers, keep_inputs=False) as recorded, torch.inference_mode():
        model(torch.zeros(1, data.channels, data.size, data.size))

    layer_costs = []
    for name, layer in layers.items():
        weight = layer.weight
        # Each weight takes part in one multiply-accumulate per output position: H x W for a
        # convolution, 1 for a linear layer.
        positions = recorded.outputs[name][0, 0].numel()
        layer_costs.append(
            LayerCost(
                name=name,
                kind=type(layer).__name__,
                shape=tuple(weight.shape),
                weights=weight.numel(),
                macs=weight.numel() * positions,
            )
        )
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return CostByLayer(parameters, tuple(layer_costs))
