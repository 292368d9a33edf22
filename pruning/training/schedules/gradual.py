"""Pruning while training, with a sparsity that rises along a cubic curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pruning.training.amount import cubic
from pruning.training.schedules.base import INTERVAL, PRUNING_SHARE, PruningSteps, schedule

if TYPE_CHECKING:
    from pruning.training.run import Run


@schedule(
    "gradual",
    label="Gradual",
    source="Zhu & Gupta 2017",
    help="Prunes while it trains: the sparsity rises along a cubic curve, fast at first. Removed "
    "weights do not return.",
    total_epochs=lambda spec: spec.epochs,
    removes_layers=False,
    options=(INTERVAL, PRUNING_SHARE),
)
def gradual(run: Run) -> None:
    """Prune every few steps until the target is reached, and go on training."""
    steps = PruningSteps.of(run.spec, run.steps_per_epoch)

    def before_step(step: int) -> None:
        progress = steps.progress(step)
        if progress is not None:
            run.prune_while_training(cubic(progress))

    run.train(run.spec.epochs, before_step=before_step)
