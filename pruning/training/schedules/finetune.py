"""One-shot pruning, then training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pruning.training.schedules.base import schedule

if TYPE_CHECKING:
    from pruning.training.run import Run


@schedule(
    "finetune",
    label="Fine-tune",
    source="one-shot pruning, as in Renda et al. 2020",
    help="Prunes once and trains the remaining weights.",
    total_epochs=lambda spec: spec.epochs,
    can_rewind_rate=True,
    recovers=True,
)
def finetune(run: Run) -> None:
    """Prune once, then train."""
    run.prune()
    run.train(run.spec.epochs)
