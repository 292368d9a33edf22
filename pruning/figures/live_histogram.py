"""Data of a histogram of weights or scores whose threshold is moved in the browser, as JSON."""

from collections.abc import Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from pruning.engine.caches import cached
from pruning.engine.pruned_network import PrunedNetwork
from pruning.engine.trained_network import trained_network
from pruning.experiments.threshold_table import LARGEST, ThresholdTable, table_key
from pruning.figures.histogram import BINS, BINS_OF_FEW, FEW, value_range
from pruning.methods.rules import RULES
from pruning.methods.units import METHODS
from pruning.models import prunable

_NOTHING = np.empty(0, np.float32)
SLIDER_STEP = 0.001
"""Of the keys, where the value is a share of the units, as in the sidebar."""
DIGITS = 5
"""Significant digits of thresholds and values in JSON."""


@dataclass(frozen=True, eq=False)
class _Values:
    """The values of a histogram, by what a step can do with them.

    Attributes
    ----------
    removable : dict of str to np.ndarray
        By group that is shown: weights, or scores, that the step may remove.
    kept, removed : np.ndarray
        Values that remain whatever the step removes, and those that earlier steps have removed.
    """

    removable: dict[str, np.ndarray]
    kept: np.ndarray
    removed: np.ndarray


def live_histogram(
    pruned: PrunedNetwork,
    table: ThresholdTable,
    *,
    layer: str | None,
    of_weights: bool,
    log: bool,
    kept_in_a: np.ndarray | None = None,
) -> dict[str, Any]:
    """Return the data for a histogram at any threshold.

    Parameters
    ----------
    pruned : PrunedNetwork
        The result of the recipe, which is shown first.
    table : ThresholdTable
        Units removed at other values.
    layer : str or None
        The layer or group that is shown; None for all of them.
    of_weights : bool
        Whether weights with their signs are shown; their absolute values are the scores.
    log : bool
        Whether counts are on a log scale.
    kept_in_a : np.ndarray, optional
        (n,) values that another network keeps, shown as an outline.

    Returns
    -------
    dict
        JSON values: bins of each group and of what the step cannot remove, and the table.
    """
    step = pruned.recipe.last_step
    bins = _bins(pruned, layer, of_weights)
    first, *others = table.thresholds.values()
    are_common = all(np.array_equal(first, other, equal_nan=True) for other in others)
    groups = []
    for name, ranked in pruned.ranking.items():
        selected = pruned.selection[name]
        group = {
            "name": name,
            "units": len(ranked),
            "sigma": ranked.std if of_weights else 0.0,
            "counts": table.counts[name].tolist(),
            "thresholds": None if are_common else _rounded(table.thresholds[name]),
            "bins": bins.removable.get(name),
            "removed": selected.count,
            "threshold": float(np.clip(selected.threshold, -LARGEST, LARGEST)),  # as exact as shown
        }
        groups.append(group)
    values_shown = "weights" if of_weights else "scores"
    alt = (  # without counts that change while the threshold is dragged: the slider has those
        f"Histogram of the {bins.values:,} {values_shown} of {layer or 'all layers'}, kept "
        "and removed. The slider in it is the threshold."
    )
    if kept_in_a is not None:
        alt += f" An outline shows the {len(kept_in_a):,} that A keeps."
    rule, unit = RULES[step.rule], METHODS[step.method].unit_in(step.grouping)
    return {
        "unit": unit,
        "of_remaining": bool(pruned.recipe.previous_steps),
        "title": "weight" if of_weights else f"score of the {unit}",
        "alt": alt,
        "mirrored": of_weights,
        "log": log,
        "low": bins.low,
        "high": bins.high,
        "kept": bins.kept,
        "removed": bins.removed,
        "kept_in_a": None if kept_in_a is None else bins.count(kept_in_a),
        "groups": groups,
        "thresholds": _rounded(first) if are_common else None,
        "values": _rounded(table.values, 9),
        "value": float(step.value),
        "label": rule.label,
        "percent": rule.max_value == 1,
        "step": SLIDER_STEP if step.rule == "sparsity" else None,
        "parameters": pruned.masked.parameters,
        "all_parameters": pruned.dense.parameters,
        "parameter_counts": table.parameter_counts.tolist(),
    }


@dataclass(frozen=True, eq=False)
class _Bins:
    """How many values of a histogram are in each bin, whatever the value of the rule.

    Attributes
    ----------
    low, high : float
        Ends of the axis.
    values : int
        Number of values.
    removable : dict of str to list of int
        By group that is shown, as of `_Values`.
    kept, removed : list of int
        As of `_Values`.
    """

    low: float
    high: float
    values: int
    removable: dict[str, list[int]]
    kept: list[int]
    removed: list[int]

    def count(self, values: np.ndarray) -> list[int]:
        return _count(values, len(self.kept), self.low, self.high)


def _bins_key(pruned: PrunedNetwork, layer: str | None, of_weights: bool) -> Hashable:
    return table_key(pruned.recipe), layer, of_weights


@cached("bins of histograms", max_size=64, key=_bins_key)
def _bins(pruned: PrunedNetwork, layer: str | None, of_weights: bool) -> _Bins:
    parts = _weights(pruned, layer) if of_weights else _scores(pruned, layer)
    everything = np.concatenate([*parts.removable.values(), parts.kept, parts.removed])
    low, high = value_range(everything, mirrored=of_weights)
    number = BINS if len(everything) > FEW else BINS_OF_FEW
    count = partial(_count, bins=number, low=low, high=high)
    removable = {name: count(values) for name, values in parts.removable.items()}
    return _Bins(low, high, len(everything), removable, count(parts.kept), count(parts.removed))


def _count(values: np.ndarray, bins: int, low: float, high: float) -> list[int]:
    counts, _ = np.histogram(np.clip(values, low, high), bins, (low, high))
    return counts.tolist()


def _weights(pruned: PrunedNetwork, layer: str | None) -> _Values:
    masks, start = pruned.masks.complete(pruned.model), trained_network(pruned.recipe).masks
    removable, kept, removed = {}, [_NOTHING], [_NOTHING]
    for name, module in prunable(pruned.model).items():
        if layer not in (None, name):
            continue
        parameter = f"{name}.weight"
        weights = module.weight.detach().numpy().ravel()
        is_fixed = np.ones(len(weights), bool)
        if name in pruned.ranking:
            ranked = pruned.ranking[name]
            chosen = ranked.order[: ranked.removable]
            removable[name] = weights[chosen]
            is_fixed[chosen] = False
        if parameter in start:
            is_fixed &= start[parameter].numpy().ravel()
        is_kept = masks[parameter].numpy().ravel()
        kept.append(weights[is_fixed & is_kept])
        removed.append(weights[is_fixed & ~is_kept])
    return _Values(removable, np.concatenate(kept), np.concatenate(removed))


def _scores(pruned: PrunedNetwork, group: str | None) -> _Values:
    removable, kept = {}, [_NOTHING]
    for name, ranked in pruned.ranking.items():
        if group in (None, name):
            removable[name] = ranked.values[: ranked.removable]
            kept.append(ranked.values[ranked.removable :])
    return _Values(removable, np.concatenate(kept), _NOTHING)


def _rounded(values: np.ndarray, digits: int = DIGITS) -> list[float]:
    return [float(f"{value:.{digits}g}") for value in values]
