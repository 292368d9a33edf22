"""The result of a recipe before any image is classified."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from torch import nn

from pruning.cost.macs import Cost, CostByLayer, dense_cost, measure_cost
from pruning.data.datasets import DATASETS
from pruning.engine import remarks
from pruning.engine.caches import cached
from pruning.engine.masked_network import MaskedNetwork
from pruning.engine.recover import RecoveredNetwork, recover
from pruning.engine.trained_network import cache_key, trained_network
from pruning.methods.connectivity import ConnectedNetwork, connected_network
from pruning.methods.masks import Masks
from pruning.methods.ranking import Ranking
from pruning.methods.removal import remove
from pruning.methods.selection import Selection, SelectionSummary, count_removed, summarize
from pruning.methods.units import METHODS, UnitGroup
from pruning.models import prunable
from pruning.recipe.recipe import Recipe
from pruning.runtime.progress import ShareReport, ignore_progress


@dataclass(frozen=True)
class StepResult:
    """What a step removed.

    Parameters
    ----------
    method : str
        Name in ``METHODS``.
    unit : str
        Name of one unit, such as "filter" or "subnetwork".
    total : int
        Number of units that took part.
    removed : int
        Number of them that were removed.
    note : str
        Explanation where the number may surprise, else empty.
    """

    method: str
    unit: str
    total: int
    removed: int
    note: str = ""


@dataclass(frozen=True, eq=False)
class PrunedNetwork:
    """The result of a recipe before any image is classified; all panels of a page draw from it.

    Parameters
    ----------
    recipe : Recipe
        Without a limit on the test images.
    previous : PrunedNetwork or None
        The result of the previous steps; None if there is only one step.
    network : MaskedNetwork
        What the last step left.
    groups : mapping of str to UnitGroup
        Groups of units of the last step, in network order.
    ranking : Ranking
        Scores of the groups that took part in the last step.
    selection : Selection
        What the last step removed, by group.
    """

    recipe: Recipe
    previous: PrunedNetwork | None
    network: MaskedNetwork
    groups: Mapping[str, UnitGroup]
    ranking: Ranking
    selection: Selection

    @property
    def trained_model(self) -> nn.Module:
        """The trained network, shared and never modified."""
        return trained_network(self.recipe).model

    @property
    def before_step(self) -> MaskedNetwork:
        """What the last step was applied to: the trained network if there is only one step."""
        return self.previous.network if self.previous else trained_network(self.recipe)

    @property
    def model(self) -> nn.Module:
        """The network, shared and never modified."""
        return self.network.model

    def recover(self, report: ShareReport = ignore_progress) -> RecoveredNetwork:
        """Apply the recoveries of the recipe; cached.

        Parameters
        ----------
        report : callable
            Called with the share of the recovery that is done, if it is not cached.

        Returns
        -------
        RecoveredNetwork
            The network itself if the recipe has no recovery.
        """
        return recover(self.recipe, self.network, report)

    @property
    def recovered(self) -> MaskedNetwork:
        """The network after the recoveries of the recipe, with the same masks."""
        return self.recover().network

    @property
    def masks(self) -> Masks:
        """Which parameters of the network are kept."""
        return self.network.masks

    @property
    def dense(self) -> CostByLayer:
        """Cost of the dense network."""
        return dense_cost(self.recipe.network, self.recipe.dataset)

    @property
    def removed_units(self) -> int:
        """Number of units that the last step removed."""
        return count_removed(self.selection)

    @property
    def removed_share(self) -> float:
        """Units removed by the last step / units that took part in it."""
        return self.removed_units / max(1, self.ranking.units)

    @property
    def summary(self) -> SelectionSummary:
        """The selection of the last step as a threshold, a percentile and a multiple of sigma."""
        return summarize(self.ranking, self.selection)

    @cached_property
    def cost_by_layer(self) -> CostByLayer:
        """Cost of the network without its masks: fewer layers if some were removed."""
        if self.network.removed_layers:
            return measure_cost(self.model, self.recipe.dataset)
        return self.dense

    @cached_property
    def kept_weights(self) -> dict[str, int]:
        """Number of weights that the masks keep, by prunable layer of the dense network."""
        weights = {layer.name: layer.weights for layer in self.cost_by_layer.layers}
        kept = {}
        for layer in self.dense.layers:
            mask = self.masks.get(f"{layer.name}.weight")
            if layer.name in weights and mask is not None:
                kept[layer.name] = int(mask.sum())
            else:
                kept[layer.name] = weights.get(layer.name, 0)
        return kept

    @cached_property
    def kept_macs(self) -> dict[str, int]:
        """MACs of the weights that the masks keep, by prunable layer of the dense network."""
        costs = {layer.name: layer for layer in self.cost_by_layer.layers}
        macs = {}
        for name, kept in self.kept_weights.items():
            cost = costs.get(name)
            macs[name] = 0 if cost is None else cost.macs * kept // cost.weights
        return macs

    @property
    def sparsity(self) -> float:
        """Removed / all prunable weights of the dense network, as achieved."""
        return 1 - sum(self.kept_weights.values()) / self.dense.prunable_weights

    @cached_property
    def masked(self) -> Cost:
        """Cost of what the masks keep."""
        return Cost(self.network.parameters, sum(self.kept_macs.values()))

    @cached_property
    def effective(self) -> Cost:
        """Cost of what is connected to both the image and the logits."""
        return _effective_cost(self)

    @property
    def connected(self) -> ConnectedNetwork:
        """The weights that are connected to both the image and the logits."""
        return _connected_network(self)

    @property
    def compact_model(self) -> nn.Module:
        """The recovered network after physical removal; shared and never modified."""
        return _compact_model(self)

    @cached_property
    def step_results(self) -> tuple[StepResult, ...]:
        """What each step removed."""
        results = self.previous.step_results if self.previous else ()
        step = self.recipe.last_step
        result = StepResult(
            method=step.method,
            unit=METHODS[step.method].unit_in(step.grouping),
            total=self.ranking.units,
            removed=self.removed_units,
            note=remarks.step_note(self),
        )
        return (*results, result)

    @cached_property
    def layer_table(self) -> pd.DataFrame:
        """A row per prunable layer of the dense network.

        Columns: name, kind, shape, weights (dense), kept, sparsity, threshold (score of the last
        step; NaN if the layer took no part), macs (dense), macs_left.
        """
        thresholds = {}
        for name, group_selection in self.selection.items():
            for layer_name in self.groups[name].layers:
                thresholds[layer_name] = group_selection.threshold
        rows = []
        for layer in self.dense.layers:
            kept = self.kept_weights[layer.name]
            row = {
                "name": layer.name,
                "kind": layer.kind,
                "shape": " x ".join(str(size) for size in layer.shape),
                "weights": layer.weights,
                "kept": kept,
                "sparsity": 1 - kept / layer.weights,
                "threshold": thresholds.get(layer.name, float("nan")),
                "macs": layer.macs,
                "macs_left": self.kept_macs[layer.name],
            }
            rows.append(row)
        return pd.DataFrame(rows)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """Warnings to show beside the accuracy, such as layers without any weight."""
        return remarks.network_warnings(self)

    @cached_property
    def removed_share_by_unit(self) -> dict[str, np.ndarray]:
        """Share of removed weights of each output unit, (units,) float32, by dense layer."""
        shares = self.masks.removed_share_by_unit(self.model)
        by_layer = {}
        for name, layer in prunable(self.trained_model).items():
            by_layer[name] = shares.get(name, np.ones(len(layer.weight), np.float32))
        return by_layer

    def removed_units_of(self, group: str) -> torch.Tensor:
        """Return which units of a group the last step removed.

        Parameters
        ----------
        group : str
            A group that took part.

        Returns
        -------
        torch.Tensor
            (units,) bool in index order; units that previous steps removed are False.
        """
        return self.selection[group].removed(self.ranking[group])

    def scores(self, group: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return the scores of the last step, and which units are kept.

        Parameters
        ----------
        group : str, optional
            A group that took part; all of them by default.

        Returns
        -------
        scores : np.ndarray
            (n,) float32.
        kept : np.ndarray
            (n,) bool.
        """
        scores, kept = [np.empty(0, np.float32)], [np.empty(0, bool)]
        for name, sorted_scores in self.ranking.items():
            if group in (None, name):
                scores.append(sorted_scores.values)
                removed = self.removed_units_of(name).numpy()
                kept.append(~removed[sorted_scores.order])
        return np.concatenate(scores), np.concatenate(kept)

    def weights(self, layer: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return weights before the steps of the recipe, and which of them are kept.

        Weights that the run which the recipe starts from has removed are left out.

        Parameters
        ----------
        layer : str, optional
            A prunable layer; all of them by default.

        Returns
        -------
        weights : np.ndarray
            (n,) float32.
        kept : np.ndarray
            (n,) bool.
        """
        masks = self.masks.complete(self.model)
        start = trained_network(self.recipe).masks
        weights, kept = [], []
        for name, module in prunable(self.model).items():
            if layer not in (None, name):
                continue
            parameter = f"{name}.weight"
            weight, mask = module.weight.detach(), masks[parameter]
            if parameter in start:
                survived = start[parameter]
                weight, mask = weight[survived], mask[survived]
            weights.append(weight.numpy().ravel())
            kept.append(mask.numpy().ravel())
        return np.concatenate(weights), np.concatenate(kept)


def _by_recipe(pruned: PrunedNetwork) -> Hashable:
    return cache_key(pruned.recipe)


def _by_steps(pruned: PrunedNetwork) -> Hashable:
    """Key of what does not depend on the values of the remaining weights."""
    return cache_key(pruned.recipe.without_recovery)


def _connected_bytes(network: ConnectedNetwork) -> int:
    return sum(layer.nonzero.nbytes + layer.weight.nbytes for layer in network.layers.values())


@cached("connected networks, bytes", max_size=32_000_000, key=_by_steps, size_of=_connected_bytes)
def _connected_network(pruned: PrunedNetwork) -> ConnectedNetwork:
    data = DATASETS[pruned.recipe.dataset]
    parameters = pruned.network.masked_parameters()
    return connected_network(pruned.model, parameters, data.channels, data.size)


@cached("effective costs", max_size=4096, key=_by_steps)
def _effective_cost(pruned: PrunedNetwork) -> Cost:
    network = pruned.connected
    macs = 0
    for layer in pruned.cost_by_layer.layers:
        macs += layer.macs * network.weights(layer.name) // layer.weights
    return Cost(network.parameters, macs)


def _model_bytes(model: nn.Module) -> int:
    return 4 * sum(parameter.numel() for parameter in model.parameters()) + 1


@cached("compact networks, bytes", max_size=200_000_000, key=_by_recipe, size_of=_model_bytes)
def _compact_model(pruned: PrunedNetwork) -> nn.Module:
    data = DATASETS[pruned.recipe.dataset]
    network = pruned.recovered
    return remove(network.model, network.masked_parameters(), data.channels, data.size)
