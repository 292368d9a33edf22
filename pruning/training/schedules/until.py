"""Pruning in rounds until the accuracy goal would be missed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pruning.training.amount import geometric
from pruning.training.schedules.base import Option, epochs_of_rounds, schedule

if TYPE_CHECKING:
    from pruning.training.run import Run


@schedule(
    "until",
    label="Until the goal",
    source="score, remove, retrain and evaluate until the goal would be missed",
    help="Prunes in rounds towards the target, trains after each, and stops when the validation "
    "accuracy is below its goal; the result is the last network that met the goal.",
    total_epochs=epochs_of_rounds,
    has_rounds=True,
    recovers=True,
    options=(
        Option(
            "lose",
            "Points that may be lost",
            "Percentage points of validation accuracy below the network at the start.",
            default=1.0,
            least=0.0,
            most=100.0,
        ),
    ),
)
def until(run: Run) -> None:
    """Prune and train as long as the goal is met; go back to the last network that met it."""
    rounds = run.spec.rounds
    goal = run.dense_validation_accuracy - run.spec.option("lose") / 100
    run.keep("met")
    for number in range(1, rounds + 1):
        run.prune(geometric(number / rounds))
        [*_, last] = run.train(run.spec.epochs, round=number)
        if last.validation_accuracy < goal:
            run.restore("met")
            return
        run.keep("met")
