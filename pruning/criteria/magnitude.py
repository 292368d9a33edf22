"""Magnitude: small weights go first (Han et al. 2015, Learning both weights and connections)."""

import torch

from pruning.criteria.base import Context, criterion
from pruning.networks import prunable


@criterion("magnitude", label="Magnitude", formula=r"|w|", source="Han et al. 2015", applies_to=("weight",),
           help="The absolute value of the weight: weights near zero are removed first.")
def magnitude(context: Context) -> dict[str, torch.Tensor]:
    return {name: layer.weight.abs() for name, layer in prunable(context.model).items()}
