"""Criteria from the second-order model of the error of a layer's outputs."""

from dataclasses import replace

import torch
from torch import nn

from pruning.methods.criteria.base import Context, Scores, criterion
from pruning.methods.greedy_removal import removal_errors
from pruning.methods.least_squares import MIN_PENALTY, RIDGE
from pruning.methods.patches import Positions, patches_at
from pruning.models.activations import record_activations
from pruning.runtime.progress import part_of

SEED = 0
"""Seed of the positions at which the inputs of a convolution are sampled."""
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
    for name, system in _systems(context).items():
        inverse_diagonal = torch.cholesky_inverse(torch.linalg.cholesky(system)).diagonal()
        weight = context.weight(name)
        squares = weight.flatten(1).double().square()
        scores[name] = (squares / (2 * inverse_diagonal)).view(weight.shape)
    return scores


def _greedy_errors(context: Context) -> Scores:
    """Errors that greedy removals add, as shares of the error of the layer without weights."""
    report_images = part_of(context.report, 0.0, SHARE_OF_IMAGES)
    systems = _systems(replace(context, report=report_images))
    report_removals = part_of(context.report, SHARE_OF_IMAGES, 1.0)
    work = {name: len(context.weight(name)) * len(system) ** 3 for name, system in systems.items()}
    total = sum(work.values())
    scores = {}
    done = 0
    for name, system in systems.items():
        start = done
        done += work[name]
        report = part_of(report_removals, start / total, done / total)
        weight = context.weight(name)
        rows = weight.flatten(1).double()
        error_without_weights = 0.5 * float(((rows @ system) * rows).sum())
        relative_system = system / (error_without_weights or 1.0)
        scores[name] = removal_errors(rows, relative_system, report).view(weight.shape)
    return scores


def _systems(context: Context) -> Scores:
    """H of each layer with a ridge, (inputs, inputs) float64."""
    sums = {}
    counts = dict.fromkeys(context.groups, 0)
    for name in context.groups:
        inputs = context.weight(name)[0].numel()
        sums[name] = torch.zeros(inputs, inputs, dtype=torch.float64)
    generator = torch.Generator().manual_seed(SEED)

    def add_products(
        name: str, layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor
    ) -> None:
        rows = inputs[0]
        if isinstance(layer, nn.Conv2d):
            rows = patches_at(layer, rows, Positions.sample(output, generator))
        sums[name] += rows.T @ rows
        counts[name] += len(rows)

    with record_activations(
        context.model, context.groups, add_products, keep_inputs=False, keep_outputs=False
    ):
        for x, _ in context.batches():
            context.model(x)
    return {name: _with_ridge(total / counts[name]) for name, total in sums.items()}


def _with_ridge(products: torch.Tensor) -> torch.Tensor:
    penalty = max(RIDGE * float(products.diagonal().mean()), MIN_PENALTY)
    return products + penalty * torch.eye(len(products), dtype=products.dtype)
