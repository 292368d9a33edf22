"""Criteria that use the weights alone."""

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
    help="The absolute value of the weight, or the norm of all weights of the unit: small ones are "
    "removed first.",
)
def magnitude(context: Context) -> Scores:
    """Score units by the norm of their weights."""
    if context.method == "weight":
        return {name: context.weight(name).abs() for name in context.groups}
    order = 1 if context.variant == "l1" else 2
    scores = {}
    for name, group in context.groups.items():
        vectors = context.vectors(group, context.weight)
        scores[name] = torch.stack([vector.norm(order) for vector in vectors])
    return scores


@criterion(
    "lamp",
    label="LAMP",
    formula=r"w^2 \big/ \sum_{w'^2 \ge w^2} w'^2 \text{ (same layer)}",
    source="Lee et al. 2021",
    applies_to=("weight",),
    help="The squared weight, divided by the sum of all squared weights of its layer that are at "
    "least as large: the largest weight of every layer scores 1 (unless several tie), so that no "
    "layer is emptied first.",
)
def lamp(context: Context) -> Scores:
    """Score weights by their share of all squares of their layer that are at least as large."""
    return {
        name: _share_of_larger(context.weight(name).double().square().flatten())
        for name in context.groups
    }


def _share_of_larger(squares: torch.Tensor) -> torch.Tensor:
    ordered = squares.sort().values  # (n,)
    sums_from = ordered.flip(0).cumsum(0).flip(0)  # sum of this and all later squares
    sums = sums_from[torch.searchsorted(ordered, squares)]  # from the first of equal squares
    return torch.where(sums > 0, squares / sums, 0.0)


@criterion(
    "bn_scale",
    label="Batch-norm scale",
    formula=r"|\gamma|",
    source="Liu et al. 2017",
    applies_to=("filter",),
    needs_batch_norm=True,
    help="The scale of the batch norm after the filter; of tied filters the mean.",
)
def bn_scale(context: Context) -> Scores:
    """Score filters by the mean absolute scale of their batch norms."""
    scores = {}
    for name, group in context.groups.items():
        scales = [group.by_unit(norm, context.weight(norm).abs()) for norm in group.norms]
        scores[name] = torch.cat(scales, 1).mean(1)
    return scores


@criterion(
    "fpgm",
    label="Geometric median",
    formula=r"\sum_{j} \lVert w_i - w_j \rVert_2 \text{ (same layer)}",
    source="FPGM, He et al. 2019",
    applies_to=("filter",),
    help="The sum of the distances to the layer's other filters: a filter near their geometric "
    "median is the one that the others can replace.",
)
def fpgm(context: Context) -> Scores:
    """Score filters by the sum of their distances to the surviving filters of the group."""
    scores = {}
    for name, group in context.groups.items():
        filters = torch.stack(context.vectors(group, context.weight))
        survives = context.surviving_units.get(name)
        surviving = filters if survives is None else filters[survives]
        scores[name] = _sum_of_distances(filters, surviving)
    return scores


def _sum_of_distances(filters: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """(n, values), (m, values) -> (n,), by exact differences and not by a matrix product."""
    mode = "donot_use_mm_for_euclid_dist"
    return torch.cdist(filters.double(), others.double(), compute_mode=mode).sum(1)
