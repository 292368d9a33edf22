"""Criteria that look at the weights alone."""

import torch

from pruning.methods.criteria.base import Context, Scores, criterion


@criterion(
    "magnitude",
    label="Magnitude",
    formula=r"|w| \;\text{ or }\; \lVert w_{\text{unit}} \rVert_{1 \text{ or } 2}",
    source="Han et al. 2015, Li et al. 2017",
    applies_to=("weight", "filter", "layer"),
    variants={"l1": "L1 norm", "l2": "L2 norm"},
    variant_methods=("filter", "layer"),
    help="The absolute value of the weight, or the norm of all weights of the unit: small ones are removed first.",
)
def magnitude(context: Context) -> Scores:
    if context.method == "weight":
        return {name: context.weight(name).abs() for name in context.groups}
    order = 1 if context.variant == "l1" else 2
    return {
        name: torch.stack([v.norm(order) for v in context.vectors(group, context.weight)])
        for name, group in context.groups.items()
    }


@criterion(
    "lamp",
    label="LAMP",
    formula=r"w^2 \big/ \sum_{w'^2 \ge w^2} w'^2 \text{ (same layer)}",
    source="Lee et al. 2021",
    applies_to=("weight",),
    help="The squared weight, divided by the sum of all squared weights of its layer that are at least as large: "
    "the largest weight of every layer scores 1 (unless several tie), so that no layer is emptied first.",
)
def lamp(context: Context) -> Scores:
    return {
        name: _lamp(context.weight(name).double().square().flatten()) for name in context.groups
    }


def _lamp(squares: torch.Tensor) -> torch.Tensor:
    ordered = squares.sort().values  # (n,)
    tails = ordered.flip(0).cumsum(0).flip(0)  # the sum of itself and all above
    at_least = tails[torch.searchsorted(ordered, squares)]  # ties count whole
    return torch.where(at_least > 0, squares / at_least, 0.0)


@criterion(
    "bn_scale",
    label="Batch-norm scale",
    formula=r"|\gamma|",
    source="Liu et al. 2017",
    applies_to=("filter",),
    needs_batch_norm=True,
    help="The scale of the batch norm behind the filter; of tied filters the mean.",
)
def bn_scale(context: Context) -> Scores:
    return {
        name: torch.stack([context.weight(norm).abs() for norm in group.norms]).mean(0)
        for name, group in context.groups.items()
    }


@criterion(
    "fpgm",
    label="Geometric median",
    formula=r"\sum_{j} \lVert w_i - w_j \rVert_2 \text{ (same layer)}",
    source="FPGM, He et al. 2019",
    applies_to=("filter",),
    help="The sum of the distances to the layer's other filters: a filter near their geometric median is the one "
    "that the others can stand in for.",
)
def fpgm(context: Context) -> Scores:
    return {
        name: _distances(
            torch.stack(context.vectors(group, context.weight)), context.alive.get(name)
        )
        for name, group in context.groups.items()
    }


def _distances(filters: torch.Tensor, alive: torch.Tensor | None) -> torch.Tensor:
    others = filters if alive is None else filters[alive]
    return torch.cdist(
        filters.double(), others.double(), compute_mode="donot_use_mm_for_euclid_dist"
    ).sum(1)
