"""Pruning in rounds, with training after each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pruning.training.amount import geometric
from pruning.training.schedules.base import epochs_of_rounds, schedule

if TYPE_CHECKING:
    from pruning.training.run import Run


@schedule(
    "iterative",
    label="Iterative",
    source="Han et al. 2015",
    help="Prunes in rounds, each of which removes the same share of the remaining units, and "
    "trains the remaining weights after each.",
    total_epochs=epochs_of_rounds,
    has_rounds=True,
    can_rewind_rate=True,
    recovers=True,
)
def iterative(run: Run) -> None:
    """Prune a part in each round, then train."""
    rounds = run.spec.rounds
    for number in range(1, rounds + 1):
        run.prune(geometric(number / rounds))
        run.train(run.spec.epochs, round=number)
