"""Costs of dense, masked and compact networks side by side, all counted or measured."""

import copy
from dataclasses import dataclass

import pandas as pd
import torch
from torch import nn

from pruning.cost.file_size import encoded_sizes, safetensors_size
from pruning.cost.latency import Latency, MeasurementCallback, latencies
from pruning.cost.macs import Cost, measure_cost
from pruning.cost.memory import peak_memory_bytes
from pruning.data import datasets
from pruning.data.datasets import DATASETS, normalise
from pruning.models import prunable
from pruning.runtime.progress import ignore_progress

BATCHES = (1, 64)
COMPARED_IMAGES = 1_000
"""Test images on which the logits of masked and compact network are compared."""
LOGIT_TOLERANCE = 1e-4
COMPARE_BATCH = 250
THEORETICAL_GAIN = 1.05
"""A gain of the masked network above this factor is explained as theoretical."""


@dataclass(frozen=True)
class NetworkCost:
    """Cost of one form of a network.

    Parameters
    ----------
    prunable_weights, parameters, macs : int
        Counts; MACs are for one image.
    bytes : int
        Size of the smallest real file.
    encoding : str
        Encoding of that file.
    activations : int
        Peak memory of activations in bytes for one image.
    latency : tuple of Latency or None
        One for each batch size of ``BATCHES``; None if this form runs as the dense one.
    """

    prunable_weights: int
    parameters: int
    macs: int
    bytes: int
    encoding: str
    activations: int
    latency: tuple[Latency, ...] | None


@dataclass(frozen=True)
class CostReport:
    """Costs of three forms of a network.

    Parameters
    ----------
    dense, masked, removed : NetworkCost
        Before pruning, with masks, and after physical removal.
    difference : float
        Largest difference of the logits of masked and compact network.
    compared_images : int
        Number of test images on which they were compared.
    """

    dense: NetworkCost
    masked: NetworkCost
    removed: NetworkCost
    difference: float
    compared_images: int

    @property
    def agrees(self) -> bool:
        """Whether masked and compact network give the same logits, up to rounding."""
        return self.difference < LOGIT_TOLERANCE

    @property
    def forms(self) -> dict[str, NetworkCost]:
        """Costs by the name of the form."""
        return {"dense": self.dense, "masked": self.masked, "removed": self.removed}

    def table(self) -> pd.DataFrame:
        """Return a row per quantity and a column per form, as text.

        Returns
        -------
        pd.DataFrame
            Columns quantity, dense, masked, removed.
        """
        columns = {name: self._texts(cost) for name, cost in self.forms.items()}
        return pd.DataFrame(columns).rename_axis("quantity").reset_index()

    def _texts(self, cost: NetworkCost) -> dict[str, str]:
        texts = {
            "prunable weights": f"{cost.prunable_weights:,}",
            "all parameters": f"{cost.parameters:,}",
            "MACs per image": f"{cost.macs:,}",
            "theoretical speed-up": f"{self._speed_up(cost):.2f}x",
            "bytes of the file": f"{cost.bytes:,} ({cost.encoding})",
            "peak activations, bytes per image": f"{cost.activations:,}",
        }
        for index, batch in enumerate(BATCHES):
            latency = None if cost.latency is None else cost.latency[index]
            texts[f"latency, batch {batch}"] = _latency_text(latency)
        return texts

    def _speed_up(self, cost: NetworkCost) -> float:
        return self.dense.macs / max(1, cost.macs)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences that compare theoretical and measured gains."""
        assert self.dense.latency is not None and self.removed.latency is not None
        measured = self.dense.latency[-1].median / self.removed.latency[-1].median
        removed = self._speed_up(self.removed)
        remarks = []
        if self.removed.macs > THEORETICAL_GAIN * self.masked.macs:
            remarks.append(
                f"The theoretical speed-up of the masks is {self._speed_up(self.masked):.2f}x, but "
                "ordinary kernels multiply zeros as well, so the masked network takes as long as "
                f"the dense one. Physical removal has a theoretical speed-up of {removed:.2f}x."
            )
        remarks.append(
            f"Measured with {BATCHES[-1]} images at a time, the removed network is {measured:.2f}x "
            f"as fast as the dense one; its theoretical speed-up is {removed:.2f}x."
        )
        return tuple(remarks)


def _latency_text(latency: Latency | None) -> str:
    if latency is None:
        return "as dense"
    median, low, high = (1000 * value for value in (latency.median, latency.low, latency.high))
    return f"{median:.2f} ms ({low:.2f} to {high:.2f})"


def cost_report(
    dense: nn.Module,
    masked: nn.Module,
    compact: nn.Module,
    dataset: str,
    *,
    masked_weights: int,
    masked_cost: Cost,
    input_mask: torch.Tensor | None,
    report: MeasurementCallback = ignore_progress,
    seconds: float = 1.0,
) -> CostReport:
    """Count and measure three forms of a network.

    Parameters
    ----------
    dense, masked, compact : nn.Module
        The three forms, in eval mode; not modified.
    dataset : str
        Name in ``DATASETS``.
    masked_weights : int
        Number of prunable weights that the masks keep.
    masked_cost : Cost
        Parameters and MACs that the masks keep.
    input_mask : torch.Tensor or None
        Mask of the images for the masked network.
    report : callable
        Called between measurements; an exception that it raises ends the work.
    seconds : float
        Duration of each measurement of latency.

    Returns
    -------
    CostReport
        The costs.
    """
    data = DATASETS[dataset]
    dense, compact = copy.deepcopy(dense), copy.deepcopy(compact)
    networks = {"dense": dense, "removed": compact}
    timings = []
    for batch in BATCHES:
        timings.append(
            latencies(networks, data.channels, data.size, batch, seconds=seconds, report=report)
        )
    dense_activations = peak_memory_bytes(dense, data.channels, data.size)
    dense_cost = _network_cost(
        dense, dataset, dense_activations, tuple(timing["dense"] for timing in timings)
    )
    removed_cost = _network_cost(
        compact,
        dataset,
        peak_memory_bytes(compact, data.channels, data.size),
        tuple(timing["removed"] for timing in timings),
    )
    size, encoding = _smallest_file(masked)
    masked_network_cost = NetworkCost(
        prunable_weights=masked_weights,
        parameters=masked_cost.parameters,
        macs=masked_cost.macs,
        bytes=size,
        encoding=encoding,
        activations=dense_activations,
        latency=None,
    )
    report()
    images = datasets.load(dataset, "test").pixels[:COMPARED_IMAGES]
    difference = largest_logit_difference(masked, compact, normalise(images, data), input_mask)
    return CostReport(
        _as_dense_file(dense_cost, dense),
        masked_network_cost,
        removed_cost,
        difference,
        len(images),
    )


def largest_logit_difference(
    masked: nn.Module,
    compact: nn.Module,
    images: torch.Tensor,
    input_mask: torch.Tensor | None = None,
) -> float:
    """Compare the logits of a masked network and of the network after physical removal.

    Parameters
    ----------
    masked, compact : nn.Module
        In eval mode.
    images : torch.Tensor
        (N, C, H, W), normalised.
    input_mask : torch.Tensor, optional
        Mask of the images for the masked network; the compact one has it built in.

    Returns
    -------
    float
        Largest absolute difference.
    """
    largest = 0.0
    with torch.inference_mode():
        for batch in images.split(COMPARE_BATCH):
            masked_input = batch if input_mask is None else batch * input_mask
            difference = (masked(masked_input) - compact(batch)).abs().max()
            largest = max(largest, float(difference))
    return largest


def _network_cost(
    model: nn.Module, dataset: str, activations: int, latency: tuple[Latency, ...]
) -> NetworkCost:
    cost = measure_cost(model, dataset)
    size, encoding = _smallest_file(model)
    return NetworkCost(
        prunable_weights=sum(layer.weight.numel() for layer in prunable(model).values()),
        parameters=cost.parameters,
        macs=cost.macs,
        bytes=size,
        encoding=encoding,
        activations=activations,
        latency=latency,
    )


def _as_dense_file(cost: NetworkCost, model: nn.Module) -> NetworkCost:
    """Count the plain file: an encoding also saves bytes of a network that is not pruned."""
    encoding = "dense"
    if cost.encoding != "dense":
        encoding = f"dense; {cost.bytes:,} as {cost.encoding}"
    return NetworkCost(
        prunable_weights=cost.prunable_weights,
        parameters=cost.parameters,
        macs=cost.macs,
        bytes=safetensors_size(model.state_dict()),
        encoding=encoding,
        activations=cost.activations,
        latency=cost.latency,
    )


def _smallest_file(model: nn.Module) -> tuple[int, str]:
    """Size of the smallest file of a network's state, and its encoding."""
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    sizes = {"dense": safetensors_size(state), **encoded_sizes(state)}
    encoding = min(sizes, key=lambda name: sizes[name])
    return sizes[encoding], encoding
