"""What the layers of a network compute: for one image, and over many."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from pruning.data import datasets
from pruning.data.datasets import DATASETS, normalise
from pruning.engine.masked_network import MaskedNetwork
from pruning.models import prunable
from pruning.models.activations import record_activations
from pruning.models.blocks import Add
from pruning.runtime.progress import ShareReport, ignore_progress

BATCH = 64


@dataclass(frozen=True, eq=False)
class ImageTrace:
    """What a network computes for one image.

    Parameters
    ----------
    maps : dict of str to np.ndarray
        Output of each layer where `observed_modules` reads it, by layer: (units,) float32, or
        (channels, height, width).
    probabilities : np.ndarray
        (classes,) float32, of a softmax.
    """

    maps: dict[str, np.ndarray]
    probabilities: np.ndarray


AFTER_ACTIVATION, AFTER_NORM, AFTER_LAYER = "activation function", "batch norm", "layer itself"
CONSTANT = 1e-6
"""Outputs that differ by less, relative to the largest output of the layer, count as constant."""


@dataclass(frozen=True, eq=False)
class LayerActivity:
    """Outputs of the units of a layer over several images.

    Parameters
    ----------
    mean : np.ndarray
        (units,) float32, of the output over images and positions.
    lowest, highest : np.ndarray
        (units,) float32, over images and positions.
    active_share : np.ndarray
        (units,) float32: share of the images for which the output is positive at any position.
    read_after : str
        What the output is read after: `AFTER_ACTIVATION`, `AFTER_NORM` or `AFTER_LAYER`.
    """

    mean: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    active_share: np.ndarray
    read_after: str

    @property
    def is_dead(self) -> np.ndarray:
        """(units,) bool: the output is zero for all images, at every position."""
        return (self.lowest == 0) & (self.highest == 0)

    @property
    def is_constant(self) -> np.ndarray:
        """(units,) bool: the output is the same number, not zero, for all images."""
        largest = float(np.abs([self.lowest, self.highest]).max(initial=0.0))
        return ~self.is_dead & (self.highest - self.lowest <= CONSTANT * largest)

    @property
    def dead(self) -> np.ndarray:
        """(m,) int64: indices of the dead units."""
        return np.flatnonzero(self.is_dead)

    @property
    def constant(self) -> np.ndarray:
        """(m,) int64: indices of the constant units."""
        return np.flatnonzero(self.is_constant)


def observed_modules(model: nn.Module) -> dict[str, str]:
    """Return where the output of each prunable layer is read.

    Parameters
    ----------
    model : nn.Module
        A network.

    Returns
    -------
    dict of str to str
        By layer: the ReLU that follows it, also after pooling; the batch norm if an addition comes
        before the ReLU; for the classifier the layer itself.
    """
    leaves = [name for name, module in model.named_modules() if not list(module.children())]
    layers = prunable(model)
    observed = {}
    for layer in layers:
        observed[layer] = layer
        for name in leaves[leaves.index(layer) + 1 :]:
            module = model.get_submodule(name)
            if name in layers or isinstance(module, Add):
                break
            if isinstance(module, nn.BatchNorm2d | nn.ReLU):
                observed[layer] = name
            if isinstance(module, nn.ReLU):
                break
    return observed


def read_after(module: nn.Module) -> str:
    """Describe where an output is read.

    Parameters
    ----------
    module : nn.Module
        A module of `observed_modules`.

    Returns
    -------
    str
        The kind of the module.
    """
    if isinstance(module, nn.ReLU):
        return AFTER_ACTIVATION
    return AFTER_NORM if isinstance(module, nn.BatchNorm2d) else AFTER_LAYER


def trace_image(network: MaskedNetwork, pixels: torch.Tensor, dataset: str) -> ImageTrace:
    """Compute the outputs of all layers for one image.

    Parameters
    ----------
    network : MaskedNetwork
        The network.
    pixels : torch.Tensor
        (C, H, W) uint8.
    dataset : str
        Name in ``DATASETS``; gives the mean and standard deviation of the pixels.

    Returns
    -------
    ImageTrace
        Of the layers that the network still has.
    """
    outputs, logits = _outputs(network, network.copy(), pixels[None], dataset)
    maps = {layer: output[0].numpy() for layer, output in outputs.items()}
    return ImageTrace(maps, torch.softmax(logits[0], 0).numpy())


def measure_activity(
    network: MaskedNetwork, dataset: str, images: int, report: ShareReport = ignore_progress
) -> dict[str, LayerActivity]:
    """Measure how active the units of all layers are.

    Parameters
    ----------
    network : MaskedNetwork
        The network.
    dataset : str
        Name in ``DATASETS``.
    images : int
        Number of calibration images, which are training images.
    report : callable
        Called with the share that is done.

    Returns
    -------
    dict of str to LayerActivity
        By layer.
    """
    pixels = datasets.calibration(dataset, images).pixels
    model = network.copy()
    sums: dict[str, _Sums] = {}
    for start in range(0, images, BATCH):
        outputs, _ = _outputs(network, model, pixels[start : start + BATCH], dataset)
        for layer, output in outputs.items():
            values = output.flatten(2) if output.dim() > 2 else output[:, :, None]  # (N, units, p)
            sums[layer] = _Sums.of(values) + sums.get(layer)
        report(min(1.0, (start + BATCH) / images))
    observed = observed_modules(model)
    activity = {}
    for layer, total in sums.items():
        activity[layer] = LayerActivity(
            (total.mean / images).numpy(),
            total.lowest.numpy(),
            total.highest.numpy(),
            (total.active / images).numpy(),
            read_after(model.get_submodule(observed[layer])),
        )
    return activity


@dataclass(frozen=True, eq=False)
class _Sums:
    """Outputs of a layer, summed or compared over images: each (units,)."""

    mean: torch.Tensor
    lowest: torch.Tensor
    highest: torch.Tensor
    active: torch.Tensor

    @classmethod
    def of(cls, values: torch.Tensor) -> "_Sums":
        """Summarise a batch (N, units, positions)."""
        return cls(
            values.mean(2).sum(0),
            values.amin((0, 2)),
            values.amax((0, 2)),
            (values > 0).any(2).sum(0),
        )

    def __add__(self, other: "_Sums | None") -> "_Sums":
        if other is None:
            return self
        return _Sums(
            self.mean + other.mean,
            torch.minimum(self.lowest, other.lowest),
            torch.maximum(self.highest, other.highest),
            self.active + other.active,
        )


def _outputs(
    network: MaskedNetwork, model: nn.Module, pixels: torch.Tensor, dataset: str
) -> tuple[Mapping[str, torch.Tensor], torch.Tensor]:
    """Return the output of each layer for a batch (N, C, H, W) uint8, and the logits."""
    inputs = normalise(pixels, DATASETS[dataset])
    if network.input_mask is not None:
        inputs = inputs * network.input_mask
    observed = observed_modules(model)
    modules = dict.fromkeys(observed.values())
    with record_activations(model, modules, keep_inputs=False) as recorded, torch.inference_mode():
        logits = model(inputs)
    outputs = {}
    for layer, module in observed.items():
        outputs[layer] = recorded.outputs[module]
    return outputs, logits
