"""Learning rates of every step, computed beforehand, so that a schedule has no state."""

import math

import torch

from pruning.training.plans import TrainingPlan

WARM_UP_SHARE = 0.25
"""Share of the steps in which the learning rate of the one-cycle schedule rises."""


def one_cycle(plan: TrainingPlan, steps_per_epoch: int) -> list[float]:
    """Compute the learning rates of a training from scratch.

    Parameters
    ----------
    plan : TrainingPlan
        Settings of the training.
    steps_per_epoch : int
        Number of steps of an epoch.

    Returns
    -------
    list of float
        One for each step of the training: the one-cycle schedule of Smith & Topin 2018.
    """
    total_steps = plan.epochs * steps_per_epoch
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=plan.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=plan.learning_rate,
        total_steps=total_steps + 1,
        pct_start=WARM_UP_SHARE,
        cycle_momentum=False,
    )
    rates = []
    for _ in range(total_steps):
        rates.append(float(schedule.get_last_lr()[0]))
        optimizer.step()
        schedule.step()
    return rates


def cosine(peak: float, steps: int) -> list[float]:
    """Compute learning rates that fall from a peak towards 0.

    Parameters
    ----------
    peak : float
        Learning rate of the first step.
    steps : int
        Number of steps.

    Returns
    -------
    list of float
        Half a period of a cosine (Loshchilov & Hutter 2017), one for each step.
    """
    return [peak * (1 + math.cos(math.pi * step / steps)) / 2 for step in range(steps)]


def rewound(plan: TrainingPlan, steps_per_epoch: int, steps: int) -> list[float]:
    """Return the learning rates of the last steps of a training from scratch.

    Parameters
    ----------
    plan : TrainingPlan
        Settings of that training.
    steps_per_epoch : int
        Number of steps of an epoch.
    steps : int
        Number of steps to rewind.

    Returns
    -------
    list of float
        Learning-rate rewinding (Renda et al. 2020); those of a longer training with the same peak
        if there are more steps than the training had.
    """
    rates = one_cycle(plan, steps_per_epoch)
    if steps <= len(rates):
        return rates[len(rates) - steps :]
    longer = TrainingPlan(epochs=1, learning_rate=plan.learning_rate)
    return one_cycle(longer, steps)
