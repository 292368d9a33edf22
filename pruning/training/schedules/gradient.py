"""Pruning inside the training loop by what the gradients say, until training stops improving."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pruning.training.amount import linear
from pruning.training.schedules.base import (
    INTERVAL,
    PRUNING_SHARE,
    Option,
    PruningSteps,
    schedule,
)

if TYPE_CHECKING:
    from pruning.training.record import EpochRecord
    from pruning.training.run import Run


@schedule(
    "gradient",
    label="Gradient-based",
    source="scores by gradient or Taylor expansion inside the training loop, Molchanov et al. 2017",
    help="Prunes while it trains: every few steps the units with the lowest scores are removed, "
    "until the target is met or the validation accuracy has not improved for some epochs. Choose "
    "a criterion of gradients, such as Taylor.",
    total_epochs=lambda spec: spec.epochs,
    removes_layers=False,
    options=(
        INTERVAL,
        PRUNING_SHARE,
        Option(
            "patience",
            "Epochs without improvement",
            "Pruning stops when the validation accuracy has not improved for so many epochs.",
            default=3,
            least=1,
            most=1_000,
            is_whole=True,
        ),
    ),
)
def gradient(run: Run) -> None:
    """Prune every few steps as long as validation improves or the target is not met."""
    steps = PruningSteps.of(run.spec, run.steps_per_epoch)
    accuracies: list[float] = []

    def stops_improving() -> bool:
        patience = run.spec.option("patience")
        if len(accuracies) <= patience:
            return False
        return max(accuracies[-patience:]) <= max(accuracies[:-patience])

    def before_step(step: int) -> None:
        progress = steps.progress(step)
        if progress is not None and not stops_improving():
            run.prune_while_training(linear(progress))

    def after_epoch(record: EpochRecord) -> bool:
        accuracies.append(record.validation_accuracy)
        return False

    run.train(run.spec.epochs, before_step=before_step, after_epoch=after_epoch)
