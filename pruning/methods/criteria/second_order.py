"""Criteria from the second-order model of the error of a layer's outputs."""

import torch
from torch import nn

from pruning.methods.criteria.base import Context, Scores, criterion
from pruning.methods.least_squares import MIN_PENALTY, RIDGE
from pruning.methods.patches import Positions, patches_at
from pruning.models.activations import record_activations

SEED = 0
"""Seed of the positions at which the inputs of a convolution are sampled."""


@criterion(
    "obs",
    label="OBS",
    formula=r"w_j^2 \big/ \left(2 \, [H^{-1}]_{jj}\right),\; H = \mathbb{E}[x x^\top]",
    source="Optimal Brain Surgeon, Hassibi and Stork 1993; layer-wise, Dong et al. 2017",
    applies_to=("weight",),
    needs_data=True,
    help="How much the squared error of the layer's outputs grows when the weight is removed and "
    "the other weights of the output are fitted again: a weight whose input other inputs can "
    "replace scores low.",
)
def obs(context: Context) -> Scores:
    """Score weights by the layer-wise saliency of Optimal Brain Surgeon."""
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
    scores = {}
    for name, total in sums.items():
        inverse_diagonal = _inverse_diagonal(total / counts[name])
        weight = context.weight(name)
        squares = weight.flatten(1).double().square()
        scores[name] = (squares / (2 * inverse_diagonal)).view(weight.shape)
    return scores


def _inverse_diagonal(products: torch.Tensor) -> torch.Tensor:
    """Diagonal of the inverse of H with a ridge, (n, n) -> (n,)."""
    penalty = max(RIDGE * float(products.diagonal().mean()), MIN_PENALTY)
    system = products + penalty * torch.eye(len(products), dtype=products.dtype)
    return torch.cholesky_inverse(torch.linalg.cholesky(system)).diagonal()
