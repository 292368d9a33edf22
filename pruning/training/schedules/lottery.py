"""Lottery tickets: train, prune, rewind the remaining weights, train again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pruning.methods.units import METHODS
from pruning.training.amount import geometric
from pruning.training.schedules.base import Option, schedule

if TYPE_CHECKING:
    from pruning.training.run import Run
    from pruning.training.spec import RunSpec

SEED_STEP = 7_919
"""A prime number: controls use other seeds than the ticket and than each other."""


def _total_epochs(spec: RunSpec) -> int:
    trainings = 1 + spec.rounds
    if spec.option("controls") == "yes":
        trainings += 2 * spec.rounds
    return trainings * spec.epochs


@schedule(
    "lottery",
    label="Lottery ticket",
    source="Frankle & Carbin 2019; rewinding to an early epoch: Frankle et al. 2020",
    help="Trains a new network, prunes it in rounds, and sets the remaining weights back to their "
    "initial values, or to those after an early epoch, before it trains them again.",
    total_epochs=_total_epochs,
    has_rounds=True,
    options=(
        Option(
            "rewind_epoch",
            "Rewind to epoch",
            "0 rewinds to the initial values; deeper networks need an early epoch.",
            default=0,
            least=0,
            most=1_000,
            is_whole=True,
        ),
        Option(
            "controls",
            "Train controls",
            "Also trains, in each round, the ticket's masks with new initial values "
            "(reinitialised), and the ticket's initial values with permuted masks (random mask).",
            default="no",
            choices=("no", "yes"),
        ),
    ),
)
def lottery(run: Run) -> None:
    """Find a ticket in rounds; train its controls beside it."""
    spec = run.spec
    has_controls = spec.option("controls") == "yes"
    if has_controls and not METHODS[spec.recipe.last_step.method].units_are_weights:
        raise ValueError("controls of a lottery ticket need the method weight")
    rewind_epoch = min(spec.option("rewind_epoch"), spec.epochs)
    run.reset_parameters(spec.seed)
    run.keep("initial")
    run.keep("rewind")

    def after_epoch(record: object) -> bool:
        if len(run.records) == rewind_epoch:
            run.keep("rewind")
        return False

    run.train(spec.epochs, round=0, after_epoch=after_epoch)
    for number in range(1, spec.rounds + 1):
        run.prune(geometric(number / spec.rounds), recover=False)
        run.rewind_to("rewind")
        run.keep("untrained")
        run.train(spec.epochs, round=number)
        if has_controls:
            run.keep("ticket")
            _train_controls(run, number)
            run.restore("ticket")


def _train_controls(run: Run, number: int) -> None:
    seed = run.spec.seed + number * SEED_STEP + 1
    run.restore("untrained")
    run.reset_parameters(seed)
    run.train(run.spec.epochs, round=number, series="reinitialised")
    run.restore("untrained")
    run.shuffle_masks(seed)
    run.rewind_to("rewind")
    run.train(run.spec.epochs, round=number, series="random mask")
