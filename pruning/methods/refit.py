"""A plain network without some of its layers: the layer behind each gap is refitted to what it now reads."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import nn

from pruning.inference.prefix_cache import forward
from pruning.models import prunable

RIDGE = (
    1e-2  # of the mean squared input: many inputs are nearly always zero, and 1,024 images are few
)

Batches = Callable[[], Iterable[torch.Tensor]]


def without(
    model: nn.Sequential,
    parameters: Mapping[str, torch.Tensor],
    names: Iterable[str],
    batches: Batches,
) -> tuple[nn.Sequential, dict[str, torch.Tensor]]:
    """Take layers out, and refit each linear layer that then reads something else.

    Parameters
    ----------
    model : in eval mode, not modified
    parameters : masked parameters that replace the model's
    names : stages to take out; each must have a linear layer somewhere behind it
    batches : gives the calibration images, normalised, (B, C, H, W) each; asked for more than once

    Returns
    -------
    The new network, and those of ``parameters`` that still fit it. A refitted layer comes as near as it can to what it
    gave before (`least_squares`).
    """
    names, dense = set(names), dict(parameters)
    stages = OrderedDict(
        (name, nn.Identity() if name in names else stage) for name, stage in model.named_children()
    )
    order = list(prunable(model))
    for name in [
        after for before, after in zip(order, order[1:]) if before in names and after not in names
    ]:
        if not isinstance(stages[name], nn.Linear):
            raise TypeError(f"{name} is not linear: only a linear layer can be refitted")
        place = list(stages).index(name)
        parameters = {
            key: value for key, value in parameters.items() if not key.startswith(f"{name}.")
        }
        given = forward(nn.Sequential(OrderedDict(list(stages.items())[:place])), parameters)
        asked = forward(model[: place + 1], dense)
        stages[name] = least_squares((given(x), asked(x)) for x in batches())
    gone = tuple(f"{name}." for name in names)
    return nn.Sequential(stages).eval(), {
        key: value for key, value in parameters.items() if not key.startswith(gone)
    }


def least_squares(
    pairs: Iterable[tuple[torch.Tensor, torch.Tensor]], ridge: float = RIDGE
) -> nn.Linear:
    """The linear layer from inputs (B, i) to outputs (B, o) with the least squared error over all batches.

    ``ridge`` is the penalty of the squared weights, in units of the inputs' mean variance; the bias has none.
    """
    count, moments, dtype = 0, None, torch.float32
    for x, y in pairs:
        dtype = y.dtype
        x, y = x.double(), y.double()
        new = (x.sum(0), y.sum(0), x.T @ x, x.T @ y)
        moments = new if moments is None else tuple(old + more for old, more in zip(moments, new))
        count += len(x)
    x, y, xx, xy = (moment / count for moment in moments)
    covariance = xx - torch.outer(x, x)  # (i, i)
    penalty = max(
        ridge * float(covariance.diagonal().mean()), 1e-12
    )  # inputs that are all zero get zero weights
    weight = torch.linalg.solve(
        covariance + penalty * torch.eye(len(x), dtype=x.dtype), xy - torch.outer(x, y)
    ).T
    layer = nn.Linear(
        len(x), len(y), device="meta"
    )  # without initial weights, which would cost random numbers
    layer.weight = nn.Parameter(weight.to(dtype), requires_grad=False)
    layer.bias = nn.Parameter((y - weight @ x).to(dtype), requires_grad=False)
    return layer
