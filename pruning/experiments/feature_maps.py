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
from pruning.runtime.progress import ShareReport, ignore_progress

BATCH = 64


@dataclass(frozen=True, eq=False)
class ImageTrace:
    """What a network computes for one image.

    Parameters
    ----------
    maps : dict of str to np.ndarray
        Output of each layer, after the activation function that follows it, by layer: (units,)
        float32, or (channels, height, width).
    probabilities : np.ndarray
        (classes,) float32, of a softmax.
    """

    maps: dict[str, np.ndarray]
    probabilities: np.ndarray


@dataclass(frozen=True, eq=False)
class LayerActivity:
    """Outputs of the units of a layer over several images.

    Parameters
    ----------
    mean : np.ndarray
        (units,) float32, of the output over images and positions.
    active_share : np.ndarray
        (units,) float32: share of the images for which the output is positive at any position.
    has_activation : bool
        Whether an activation function follows the layer, so that an output can be zero throughout.
    """

    mean: np.ndarray
    active_share: np.ndarray
    has_activation: bool

    @property
    def dead(self) -> np.ndarray:
        """(m,) int64: units whose output is zero for all images, after the activation function."""
        if not self.has_activation:
            return np.empty(0, np.int64)
        return np.flatnonzero(self.active_share == 0)


def observed_modules(model: nn.Module) -> dict[str, str]:
    """Return where the output of each prunable layer is read.

    Parameters
    ----------
    model : nn.Module
        A network.

    Returns
    -------
    dict of str to str
        By layer: the ReLU that follows it, after pooling or an addition; for the layer of a
        shortcut its batch norm; for the classifier the layer itself.
    """
    leaves = [name for name, module in model.named_modules() if not list(module.children())]
    layers = prunable(model)
    observed = {}
    for layer in layers:
        parent = layer.rpartition(".")[0]
        is_shortcut = parent.endswith("shortcut")
        observed[layer] = layer
        for name in leaves[leaves.index(layer) + 1 :]:
            module = model.get_submodule(name)
            if is_shortcut and isinstance(module, nn.BatchNorm2d):
                observed[layer] = name
                break
            if isinstance(module, nn.ReLU):
                observed[layer] = name
                break
            if name in layers and not name.rpartition(".")[0].endswith("shortcut"):
                break
    return observed


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
    observed = observed_modules(model)
    means: dict[str, torch.Tensor] = {}
    active: dict[str, torch.Tensor] = {}
    for start in range(0, images, BATCH):
        outputs, _ = _outputs(network, model, pixels[start : start + BATCH], dataset)
        for layer, output in outputs.items():
            values = output.flatten(2) if output.dim() > 2 else output[:, :, None]  # (N, units, p)
            means[layer] = means.get(layer, 0) + values.mean(2).sum(0)
            active[layer] = active.get(layer, 0) + (values > 0).any(2).sum(0)
        report(min(1.0, (start + BATCH) / images))
    activity = {}
    for layer in means:
        activity[layer] = LayerActivity(
            (means[layer] / images).numpy(),
            (active[layer] / images).numpy(),
            isinstance(model.get_submodule(observed[layer]), nn.ReLU),
        )
    return activity


def _outputs(
    network: MaskedNetwork, model: nn.Sequential, pixels: torch.Tensor, dataset: str
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
