"""Reconstruction: the remaining weights of each layer are fitted to its dense outputs."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from pruning.data.datasets import DATASETS
from pruning.methods.least_squares import LinearFit, Moments, ridge_fit
from pruning.methods.patches import Layer, Positions, outputs_at, patches_at
from pruning.methods.recovery.base import RecoveryContext, recovery
from pruning.models import prunable
from pruning.models.activations import record_activations
from pruning.models.blocks import ResidualBlock
from pruning.models.graph_network import GraphNetwork
from pruning.models.norms import batch_norms_after
from pruning.models.stages import part_of, stages_of

BATCH_SIZE = 128
SEED = 0
"""Seed of the output positions from which a convolution is fitted."""
MAX_STORED_BYTES = 400_000_000
"""Limit on the activations in memory; above it, they are computed again for each layer."""
MIN_SCALE = 1e-3
"""Smallest scale of a batch norm through which the error of a shortcut is compensated."""


@recovery(
    "reconstruct",
    label="Reconstruction",
    formula=r"w_S = (H_{SS} + \lambda I)^{-1} (X y^\top + \lambda w)_S,\; H = X X^\top",
    source="layer-wise least squares, as in He et al. 2017 and Frantar and Alistarh 2022",
    help="Layer by layer, the remaining weights are the ridge least-squares fit of the dense "
    "network's outputs from the pruned network's own inputs, on the calibration images. The masks "
    "stay the same. Batch norms keep the statistics of the dense network: recalibrating them after "
    "the fit would amplify what it cannot predict, and lowers the accuracy.",
    replaces=("batch_norm",),
)
def reconstruct(context: RecoveryContext) -> None:
    """Fit the remaining weights of each layer, in the order of the forward pass.

    The target of a layer is its dense output before batch norm and activation. The constant part
    of the fit becomes the layer's bias or, in a layer without one, a part of the bias of its batch
    norm. The last layer of a residual branch also compensates the error of the shortcut.
    """
    _copy_buffers(context.dense, context.model)
    with torch.no_grad():
        _Reconstruction(context).run()


def _copy_buffers(source: nn.Module, target: nn.Module) -> None:
    """Give batch norms the statistics of the dense network, whose outputs are the targets."""
    values = dict(source.named_buffers())
    for name, buffer in target.named_buffers():
        buffer.copy_(values[name])


@dataclass(frozen=True, eq=False)
class _Pair:
    """Inputs of a stage in the dense and in the pruned network, for the same images."""

    dense: torch.Tensor
    pruned: torch.Tensor


class _Reconstruction:
    """The two networks, stage by stage."""

    def __init__(self, context: RecoveryContext) -> None:
        self._context = context
        self._model, self._dense = context.model, context.dense
        data = DATASETS[context.dataset]
        self._stages, self._dense_stages = stages_of(self._model), stages_of(self._dense)
        self._norms = batch_norms_after(self._model, data.channels, data.size)
        self._generator = torch.Generator().manual_seed(SEED)
        self._images = context.batches(BATCH_SIZE)
        self._first_stage = 0
        """Stage that reads the stored pairs."""
        self._stored = [_Pair(images, context.mask_images(images)) for images in self._images]

    def run(self) -> None:
        """Fit every layer."""
        for number, (name, stage) in enumerate(self._stages.items()):
            layers = _layers_in_order(name, stage)
            for count, layer in enumerate(layers, start=1):
                self._fit(number, name, layer)
                self._context.report((number + count / len(layers)) / len(self._stages))
            self._store_inputs_of(number + 1)

    def _store_inputs_of(self, stage: int) -> None:
        """Replace the stored pairs by the inputs of a later stage, if memory allows it."""
        pairs: list[_Pair] = []
        for pair in self._pairs(stage):
            pairs.append(pair)
            bytes_of_all = 2 * pair.pruned.nbytes * len(self._stored)
            if bytes_of_all > MAX_STORED_BYTES:
                return
        self._stored, self._first_stage = pairs, stage

    def _pairs(self, stage: int) -> Iterator[_Pair]:
        """Inputs of a stage, computed from the stored ones."""
        dense = part_of(self._dense, self._first_stage, stage)
        pruned = part_of(self._model, self._first_stage, stage)
        for pair in self._stored:
            yield _Pair(dense(pair.dense), pruned(pair.pruned))

    def _fit(self, number: int, stage_name: str, name: str) -> None:
        layer = self._model.get_submodule(name)
        assert isinstance(layer, Layer)
        prior: torch.Tensor = self._dense.get_parameter(f"{name}.weight")
        if prior.shape != layer.weight.shape:  # refitted after the removal of a layer
            prior = layer.weight
        moments: Moments | None = None
        for pair in self._pairs(number):
            inputs, targets = self._inputs_and_targets(stage_name, name, pair)
            sample = self._moments_of_sample(layer, inputs, targets)
            moments = sample if moments is None else moments + sample
        assert moments is not None, "there is no calibration image"
        mask = self._context.masks.get(f"{name}.weight")
        fit = ridge_fit(
            moments,
            prior=prior.flatten(1),
            kept=None if mask is None else mask.flatten(1),
            has_bias=layer.bias is not None or name in self._norms,
        )
        self._write(name, layer, fit)

    def _inputs_and_targets(
        self, stage_name: str, name: str, pair: _Pair
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What the pruned network's layer reads, and what it should return."""
        stage, dense_stage = self._stages[stage_name], self._dense_stages[stage_name]
        if name == stage_name:
            return pair.pruned, dense_stage(pair.dense)
        # The modules of a part of a graph have their full names.
        is_graph = isinstance(stage, GraphNetwork)
        local_name = name if is_graph else name.removeprefix(f"{stage_name}.")
        with record_activations(stage, [local_name], keep_outputs=False) as pruned:
            stage(pair.pruned)
        with record_activations(dense_stage, [local_name], keep_inputs=False) as dense:
            dense_stage(pair.dense)
        targets = dense.outputs[local_name]
        if isinstance(stage, ResidualBlock) and local_name == "conv2":
            assert isinstance(dense_stage, ResidualBlock)
            error = dense_stage.shortcut(pair.dense) - stage.shortcut(pair.pruned)
            targets = targets + _before_batch_norm(error, dense_stage.bn2)
        return pruned.inputs[local_name], targets

    def _moments_of_sample(
        self, layer: Layer, inputs: torch.Tensor, targets: torch.Tensor
    ) -> Moments:
        """Moments of a layer's outputs, of a convolution at some random positions."""
        if isinstance(layer, nn.Linear):
            return Moments.of(inputs, targets)
        positions = Positions.sample(targets, self._generator)
        patches = patches_at(layer, inputs, positions)
        return Moments.of(patches, outputs_at(targets, positions))

    def _write(self, name: str, layer: Layer, fit: LinearFit) -> None:
        """Write a fit into the layer and its batch norm; masked parameters stay zero."""
        layer.weight.copy_(fit.weight.view_as(layer.weight))
        if fit.bias is None:
            return
        if layer.bias is not None:
            self._write_masked(f"{name}.bias", fit.bias)
            return
        norm_name = self._norms[name]
        norm = self._dense.get_submodule(norm_name)
        assert isinstance(norm, nn.BatchNorm2d)
        self._write_masked(f"{norm_name}.bias", norm.bias + _scale(norm) * fit.bias)

    def _write_masked(self, name: str, values: torch.Tensor) -> None:
        mask = self._context.masks.get(name)
        if mask is not None:
            values = torch.where(mask, values, 0.0)
        self._model.get_parameter(name).copy_(values)


def _layers_in_order(stage_name: str, stage: nn.Module) -> list[str]:
    """Names of the layers of a stage; the last one of a residual branch comes last."""
    if isinstance(stage, Layer):
        return [] if _is_grouped(stage) else [stage_name]
    names = [name for name, layer in prunable(stage).items() if not _is_grouped(layer)]
    if isinstance(stage, GraphNetwork):
        return names
    if isinstance(stage, ResidualBlock):
        names.sort(key=lambda name: name == "conv2")
    return [f"{stage_name}.{name}" for name in names]


def _is_grouped(layer: Layer) -> bool:
    """Tell whether a layer is a grouped convolution, which has no rows of patches to fit."""
    return isinstance(layer, nn.Conv2d) and layer.groups > 1


def _scale(norm: nn.BatchNorm2d) -> torch.Tensor:
    """Factor of a batch norm in eval mode, (channels,)."""
    assert norm.running_var is not None
    return norm.weight / (norm.running_var + norm.eps).sqrt()


def _before_batch_norm(change: torch.Tensor, norm: nn.BatchNorm2d) -> torch.Tensor:
    """Change of a batch norm's input that changes its output by this; 0 where it hardly can."""
    scale = _scale(norm)
    inverse = torch.where(scale.abs() > MIN_SCALE, 1 / scale, 0.0)
    return change * inverse[:, None, None]
