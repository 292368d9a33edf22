"""Criteria from the second-order model of the error of a layer's outputs."""

from dataclasses import replace

import torch
from torch import nn

from pruning.methods.criteria.base import Context, Scores, criterion
from pruning.methods.greedy_removal import removal_errors
from pruning.methods.least_squares import MIN_PENALTY, RIDGE
from pruning.methods.patches import Positions, patches_at
from pruning.models.activations import record_activations
from pruning.runtime.errors import PrunescopeError
from pruning.runtime.progress import part_of

SEED = 0
"""Seed of the positions at which the inputs of a convolution are sampled."""
MAX_INPUTS = 8_192
"""Inputs of an output for which the matrix of their products fits in memory."""
SHARE_OF_IMAGES = 0.2
"""Share of the work of the greedy variant that the calibration images take, for its progress."""


@criterion(
    "obs",
    label="OBS",
    formula=r"w_j^2 \big/ \left(2 \, [H_{SS}^{-1}]_{jj}\right),\; H = \mathbb{E}[x x^\top],\; "
    r"S \text{: all weights of the output; greedy: those that remain}",
    source="Optimal Brain Surgeon, Hassibi and Stork 1993; layer-wise, Dong et al. 2017; greedy, "
    "Frantar and Alistarh 2022",
    applies_to=("weight",),
    needs_data=True,
    variants={"single": "Each weight alone", "greedy": "Greedy, one by one"},
    variant_methods=("weight",),
    help="How much the squared error of the layer's outputs grows when the weight is removed and "
    "the other weights of the output are fitted again: a weight whose input other inputs can "
    "replace scores low. Greedy: the weights of each output are removed one by one, always the one "
    "that adds the least error to what is removed already. The score is the added error, at least "
    "that of earlier removals, as a share of the error of the layer without weights, so that "
    "layers can compete. It takes seconds, for layers with hundreds of outputs and inputs up to "
    "half a minute. It only chooses: the recovery Reconstruction fits the remaining weights, as "
    "the greedy updates do, in closed form.",
)
def obs(context: Context) -> Scores:
    """Score weights by the layer-wise saliency of Optimal Brain Surgeon."""
    if context.variant == "greedy":
        return _greedy_errors(context)
    scores = {}
    for name, systems in _systems(context).items():
        weight = context.weight(name)
        parts = []
        for rows, system in zip(_rows_of_parts(weight, systems), systems, strict=True):
            inverse_diagonal = torch.cholesky_inverse(torch.linalg.cholesky(system)).diagonal()
            parts.append(rows.square() / (2 * inverse_diagonal))
        scores[name] = torch.cat(parts).view(weight.shape)
    return scores


def _rows_of_parts(weight: torch.Tensor, systems: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The rows of each part of a grouped convolution, of other layers all rows, float64."""
    return weight.flatten(1).double().chunk(len(systems))


def _greedy_errors(context: Context) -> Scores:
    """Errors that greedy removals add, as shares of the error of the layer without weights."""
    report_images = part_of(context.report, 0.0, SHARE_OF_IMAGES)
    systems = _systems(replace(context, report=report_images))
    report_removals = part_of(context.report, SHARE_OF_IMAGES, 1.0)
    work = {name: len(context.weight(name)) * each.shape[1] ** 3 for name, each in systems.items()}
    total = sum(work.values())
    scores = {}
    done = 0
    for name, systems_of_layer in systems.items():
        weight = context.weight(name)
        rows_of_parts = _rows_of_parts(weight, systems_of_layer)
        error_without_weights = 0.0
        for rows, system in zip(rows_of_parts, systems_of_layer, strict=True):
            error_without_weights += 0.5 * float(((rows @ system) * rows).sum())
        errors = []
        for rows, system in zip(rows_of_parts, systems_of_layer, strict=True):
            start = done
            done += work[name] // len(systems_of_layer)
            report = part_of(report_removals, start / total, done / total)
            relative_system = system / (error_without_weights or 1.0)
            errors.append(removal_errors(rows, relative_system, report))
        scores[name] = torch.cat(errors).view(weight.shape)
    return scores


def _systems(context: Context) -> Scores:
    """H of each part of each layer with a ridge, (parts, inputs, inputs) float64."""
    sums = {}
    counts = dict.fromkeys(context.groups, 0)
    for name in context.groups:
        inputs = context.weight(name)[0].numel()
        if inputs > MAX_INPUTS:
            raise PrunescopeError(
                f"{name} has {inputs:,} inputs, too many for OBS, which needs a matrix of their "
                f"products (at most {MAX_INPUTS:,}): choose another criterion, or other layers"
            )
        parts = getattr(context.model.get_submodule(name), "groups", 1)
        sums[name] = torch.zeros(parts, inputs, inputs, dtype=torch.float64)
    generator = torch.Generator().manual_seed(SEED)

    def add_products(
        name: str, layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor
    ) -> None:
        rows = inputs[0]
        if isinstance(layer, nn.Conv2d):
            rows = patches_at(layer, rows, Positions.sample(output, generator))
        for part, columns in enumerate(rows.chunk(len(sums[name]), 1)):
            sums[name][part] += columns.T @ columns
        counts[name] += len(rows)

    with record_activations(
        context.model, context.groups, add_products, keep_inputs=False, keep_outputs=False
    ):
        for x, _ in context.batches():
            context.model(x)
    return {name: _with_ridge(total / counts[name]) for name, total in sums.items()}


def _with_ridge(products: torch.Tensor) -> torch.Tensor:
    systems = []
    for part in products:
        penalty = max(RIDGE * float(part.diagonal().mean()), MIN_PENALTY)
        systems.append(part + penalty * torch.eye(len(part), dtype=part.dtype))
    return torch.stack(systems)
