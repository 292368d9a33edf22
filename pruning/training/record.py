"""What is recorded of each epoch."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from pruning.cost.macs import CostByLayer
from pruning.engine.masked_network import MaskedNetwork
from pruning.models import prunable

HISTOGRAM_BINS = 61
HISTOGRAM_SIGMAS = 8.0
"""Range of the histogram, in standard deviations of the weights before the first epoch."""
NEAR_ZERO = 1e-3
"""Weights below this absolute value count as near zero."""


@dataclass(frozen=True)
class EpochRecord:
    """What an epoch measured, and the network after it.

    Parameters
    ----------
    epoch : int
        Number of the epoch in the run, from 1.
    round : int
        Number of the round, from 1; 0 before the first pruning.
    series : str
        What is trained: empty, or the name of a control.
    loss, train_accuracy : float
        Means over the batches of the epoch, see `EpochResult`.
    validation_accuracy : float
        Accuracy on all validation images, from 0 to 1.
    sparsity : float
        Removed / all prunable weights of the dense network.
    near_zero : float
        Share of the prunable weights with an absolute value below 0.001, removed ones included.
    learning_rate : float
        Of the first step.
    steps : int
        Steps of the optimizer in this epoch.
    seconds : float
        Duration of the epoch, validation included.
    layer_sparsity : dict of str to float
        Sparsity by prunable layer.
    histogram : tuple of int
        Number of remaining weights in each bin; see `histogram_edges`.
    """

    epoch: int
    round: int
    series: str
    loss: float
    train_accuracy: float
    validation_accuracy: float
    sparsity: float
    near_zero: float
    learning_rate: float
    steps: int
    seconds: float
    layer_sparsity: dict[str, float]
    histogram: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON values.

        Returns
        -------
        dict
            Every field.
        """
        return asdict(self)


NO_RECORD = "it has no record of each epoch"
NUMBERS = (
    "epoch",
    "round",
    "loss",
    "train_accuracy",
    "validation_accuracy",
    "sparsity",
    "near_zero",
    "learning_rate",
    "steps",
    "seconds",
)
"""Fields of a record that are numbers."""


def record_from_dict(content: Any) -> EpochRecord:
    """Read a record from JSON values.

    Parameters
    ----------
    content : object
        As `EpochRecord.to_dict` gives it.

    Returns
    -------
    EpochRecord
        The record.

    Raises
    ------
    ValueError
        If it is not a record.
    """
    try:
        record = EpochRecord(**content)
        record = replace(record, histogram=tuple(record.histogram))
    except TypeError:
        raise ValueError(NO_RECORD) from None
    for name in NUMBERS:
        if not isinstance(getattr(record, name), int | float):
            raise ValueError(NO_RECORD)
    is_valid = (
        isinstance(record.series, str)
        and isinstance(record.layer_sparsity, dict)
        and all(isinstance(value, int | float) for value in record.layer_sparsity.values())
        and all(isinstance(count, int) for count in record.histogram)
    )
    if not is_valid:
        raise ValueError(NO_RECORD)
    return record


def histogram_edges(deviation: float) -> np.ndarray:
    """Return the edges of the bins of weights.

    Parameters
    ----------
    deviation : float
        Standard deviation of the weights before the first epoch.

    Returns
    -------
    np.ndarray
        (bins + 1,) float64. The outer bins also count the weights beyond them.
    """
    limit = HISTOGRAM_SIGMAS * max(deviation, 1e-12)
    return np.linspace(-limit, limit, HISTOGRAM_BINS + 1)


def count_weights(network: MaskedNetwork, deviation: float) -> tuple[int, ...]:
    """Count the remaining weights in each bin.

    Parameters
    ----------
    network : MaskedNetwork
        On the CPU.
    deviation : float
        See `histogram_edges`.

    Returns
    -------
    tuple of int
        (bins,)
    """
    edges = histogram_edges(deviation)
    kept_weights = np.concatenate(_weights(network, only_kept=True))
    counts, _ = np.histogram(np.clip(kept_weights, edges[0], edges[-1]), edges)
    return tuple(counts.tolist())


def share_near_zero(network: MaskedNetwork) -> float:
    """Return the share of the prunable weights that are near zero or removed.

    Parameters
    ----------
    network : MaskedNetwork
        On the CPU; its masked weights are zero.

    Returns
    -------
    float
        From 0 to 1, of the weights of its layers.
    """
    weights = np.concatenate(_weights(network, only_kept=False))
    return float((np.abs(weights) < NEAR_ZERO).mean())


def layer_sparsities(network: MaskedNetwork, dense: CostByLayer) -> dict[str, float]:
    """Return the share of removed weights of each prunable layer of the dense network.

    Parameters
    ----------
    network : MaskedNetwork
        Any network.
    dense : CostByLayer
        Cost of the dense network.

    Returns
    -------
    dict of str to float
        1 for a layer that was removed, 0 for a refitted one that has more weights than before.
    """
    sparsities = {}
    for layer, kept in zip(dense.layers, _kept_weights(network, dense), strict=True):
        sparsities[layer.name] = max(0.0, 1 - kept / layer.weights)
    return sparsities


def overall_sparsity(network: MaskedNetwork, dense: CostByLayer) -> float:
    """Return removed / all prunable weights of the dense network.

    Parameters
    ----------
    network : MaskedNetwork
        Any network.
    dense : CostByLayer
        Cost of the dense network.

    Returns
    -------
    float
        From 0 to 1.
    """
    return 1 - sum(_kept_weights(network, dense)) / dense.prunable_weights


def _kept_weights(network: MaskedNetwork, dense: CostByLayer) -> list[int]:
    """Number of kept weights of each prunable layer of the dense network."""
    masks = network.masks.complete(network.model)
    kept = []
    for layer in dense.layers:
        mask = masks.get(f"{layer.name}.weight")
        is_removed = layer.name in network.removed_layers or mask is None
        kept.append(0 if is_removed or mask is None else int(mask.sum()))
    return kept


def weight_deviation(network: MaskedNetwork) -> float:
    """Return the standard deviation of the remaining weights.

    Parameters
    ----------
    network : MaskedNetwork
        On the CPU.

    Returns
    -------
    float
        Of all layers together; 0 if nothing remains.
    """
    weights = np.concatenate(_weights(network, only_kept=True))
    return float(weights.std()) if len(weights) else 0.0


def _weights(network: MaskedNetwork, *, only_kept: bool) -> list[np.ndarray]:
    masks = network.masks.complete(network.model)
    parts = [np.empty(0, np.float32)]
    for name, layer in prunable(network.model).items():
        weight = layer.weight.detach()
        parts.append((weight[masks[f"{name}.weight"]] if only_kept else weight).flatten().numpy())
    return parts
