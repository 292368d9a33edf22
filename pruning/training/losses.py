"""The loss of a batch: cross-entropy, distillation and penalties on the parameters."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from pruning.models import prunable
from pruning.runtime.registry import Registry


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Compute the mean cross-entropy.

    Parameters
    ----------
    logits : torch.Tensor
        (B, classes).
    labels : torch.Tensor
        (B,) int64.
    x : torch.Tensor
        Not used.

    Returns
    -------
    torch.Tensor
        Scalar, in nats.
    """
    return F.cross_entropy(logits, labels)


@dataclass(frozen=True, eq=False)
class Distillation:
    """Cross-entropy with the labels and with the outputs of a teacher (Hinton et al. 2015).

    Parameters
    ----------
    teacher : nn.Module
        The dense network, in eval mode, on the device of the images.
    weight : float
        Share of the teacher in the loss, from 0 to 1.
    temperature : float
        Divides the logits of both networks; the gradient is scaled by its square.
    """

    teacher: nn.Module
    weight: float
    temperature: float

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Compute the loss of a batch; see `cross_entropy`."""
        with torch.no_grad():
            target = F.softmax(self.teacher(x).float() / self.temperature, dim=1)
        log_probabilities = F.log_softmax(logits.float() / self.temperature, dim=1)
        divergence = F.kl_div(log_probabilities, target, reduction="batchmean")
        from_teacher = divergence * self.temperature**2
        from_labels = F.cross_entropy(logits, labels)
        return self.weight * from_teacher + (1 - self.weight) * from_labels


Penalty = Callable[[nn.Module], torch.Tensor]

PENALTIES: Registry[Penalty] = Registry("penalty")


def l1(model: nn.Module) -> torch.Tensor:
    """Sum the absolute values of all prunable weights.

    Parameters
    ----------
    model : nn.Module
        The network.

    Returns
    -------
    torch.Tensor
        Scalar.
    """
    weights = [layer.weight for layer in prunable(model).values()]
    return torch.stack([weight.abs().sum() for weight in weights]).sum()


def l2(model: nn.Module) -> torch.Tensor:
    """Sum half of the squares of all prunable weights.

    Parameters
    ----------
    model : nn.Module
        The network.

    Returns
    -------
    torch.Tensor
        Scalar.
    """
    weights = [layer.weight for layer in prunable(model).values()]
    return torch.stack([weight.square().sum() / 2 for weight in weights]).sum()


def group_lasso(model: nn.Module) -> torch.Tensor:
    """Sum the norms of the filters, each times the root of its size (Wen et al. 2016).

    Parameters
    ----------
    model : nn.Module
        The network.

    Returns
    -------
    torch.Tensor
        Scalar; a filter is a row of the weight of a convolution or linear layer.
    """
    sums = []
    for layer in prunable(model).values():
        rows = layer.weight.flatten(1)
        norms = rows.square().sum(1).add(1e-12).sqrt()  # differentiable at 0
        sums.append(norms.sum() * rows.shape[1] ** 0.5)
    return torch.stack(sums).sum()


def batch_norm_l1(model: nn.Module) -> torch.Tensor:
    """Sum the absolute values of the scales of all batch norms (Liu et al. 2017).

    Parameters
    ----------
    model : nn.Module
        A network with batch norms.

    Returns
    -------
    torch.Tensor
        Scalar.

    Raises
    ------
    ValueError
        If the network has no batch norm.
    """
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    if not norms:
        raise ValueError("the penalty batch_norm needs a network with batch norms")
    return torch.stack([norm.weight.abs().sum() for norm in norms]).sum()


PENALTIES.add("l1", l1)
PENALTIES.add("l2", l2)
PENALTIES.add("group_lasso", group_lasso)
PENALTIES.add("batch_norm", batch_norm_l1)
