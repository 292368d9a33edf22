"""Pruning while training, with a sparsity that rises along a cubic curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pruning.training.amount import cubic
from pruning.training.schedules.base import Option, PruningSteps, schedule

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
    options=(
        Option(
            "interval",
            "Steps between prunings",
            "Steps of the optimizer from one pruning to the next; fewer in a short run, so that "
            "there are at least four prunings.",
            default=100,
            least=1,
            most=100_000,
            is_whole=True,
        ),
        Option(
            "pruning_share",
            "Share of the epochs with pruning",
            "The target is reached after this share of the steps; the others only train.",
            default=0.7,
            least=0.01,
            most=1.0,
        ),
    ),
)
def gradual(run: Run) -> None:
    """Prune every few steps until the target is reached, and go on training."""
    steps = PruningSteps.of(run.spec, run.steps_per_epoch)

    def before_step(step: int) -> None:
        progress = steps.progress(step)
        if progress is not None:
            run.prune_while_training(cubic(progress))

    run.train(run.spec.epochs, before_step=before_step)
