"""One epoch of training: the only loop over batches with an optimizer."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from pruning.runtime.errors import PrunescopeError
from pruning.runtime.progress import ignore_progress
from pruning.training.precision import uses_bfloat16

LossFunction = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""``loss(logits, labels, x)`` gives a scalar."""


MOMENTUM = 0.9


class TrainingDiverged(PrunescopeError):
    """The loss of a training is not a finite number."""


def make_optimizer(
    model: nn.Module, *, learning_rate: float, weight_decay: float
) -> torch.optim.SGD:
    """Make the optimizer of all training: SGD with Nesterov momentum.

    Parameters
    ----------
    model : nn.Module
        The network.
    learning_rate : float
        The first one; `train_epoch` sets it before each step.
    weight_decay : float
        L2 penalty.

    Returns
    -------
    torch.optim.SGD
        All parameters are in one group, and are updated by one kernel.
    """
    return torch.optim.SGD(
        model.parameters(),
        lr=learning_rate,
        momentum=MOMENTUM,
        nesterov=True,
        weight_decay=weight_decay,
        fused=True,
    )


@dataclass(frozen=True)
class EpochResult:
    """What an epoch measured on its own batches, each before it was learned from.

    Parameters
    ----------
    loss : float
        Mean loss, penalties included.
    accuracy : float
        Share of the images that were classified correctly, in training mode and augmented.
    """

    loss: float
    accuracy: float


def train_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]],
    learning_rates: Sequence[float],
    loss_function: LossFunction,
    *,
    before_step: Callable[[int], None] = ignore_progress,
    after_step: Callable[[], None] = ignore_progress,
    report: Callable[[int, float], None] = ignore_progress,
) -> EpochResult:
    """Train a network for one epoch.

    Parameters
    ----------
    model : nn.Module
        The network, which is put into training mode.
    optimizer : torch.optim.Optimizer
        Of its parameters, in one parameter group.
    batches : iterable of (torch.Tensor, torch.Tensor)
        Images (B, C, H, W) and labels (B,), on the device of the network.
    learning_rates : sequence of float
        One for each batch.
    loss_function : callable
        ``loss_function(logits, labels, x)`` gives the loss of a batch.
    before_step : callable
        Called with the index of the step, before its forward pass.
    after_step : callable
        Called after each step of the optimizer.
    report : callable
        Called with the number of finished steps and their mean loss.

    Returns
    -------
    EpochResult
        Means over the epoch.

    Raises
    ------
    TrainingDiverged
        If a loss is not a finite number; the step is not made.
    """
    model.train()
    total_loss, correct, images = 0.0, 0, 0
    for step, (x, labels) in enumerate(batches):
        before_step(step)
        optimizer.param_groups[0]["lr"] = learning_rates[step]
        with torch.autocast(x.device.type, torch.bfloat16, enabled=uses_bfloat16(x.device)):
            logits = model(x)
            loss = loss_function(logits, labels, x)
        loss_value = loss.item()
        if not math.isfinite(loss_value):
            raise TrainingDiverged(f"the loss is {loss_value} in step {step + 1}")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        after_step()
        total_loss += loss_value
        correct += int((logits.detach().argmax(1) == labels).sum())
        images += len(labels)
        report(step + 1, total_loss / (step + 1))
    steps = max(1, len(learning_rates))
    return EpochResult(total_loss / steps, correct / max(1, images))
