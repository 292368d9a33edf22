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
    rewound = spec.epochs - spec.option("rewind_epoch")
    epochs_of_round = rewound
    if spec.option("controls") == "yes":
        epochs_of_round += spec.epochs + rewound
    return spec.epochs + spec.rounds * epochs_of_round


def _check(spec: RunSpec) -> None:
    if spec.option("rewind_epoch") >= spec.epochs:
        raise ValueError(f"rewind_epoch must be less than the {spec.epochs} epochs")
    is_of_weights = METHODS[spec.recipe.last_step.method].units_are_weights
    if spec.option("controls") == "yes" and not is_of_weights:
        raise ValueError("controls of a lottery ticket need the method weight")


@schedule(
    "lottery",
    label="Lottery ticket",
    source="Frankle & Carbin 2019; rewinding to an early epoch: Frankle et al. 2020",
    help="Trains a new network, prunes it in rounds, and sets the remaining weights back to their "
    "initial values, or to those after an early epoch, before it trains them again.",
    total_epochs=_total_epochs,
    has_rounds=True,
    trains_from_scratch=True,
    removes_layers=False,
    check=_check,
    options=(
        Option(
            "rewind_epoch",
            "Rewind to epoch",
            "0 rewinds to the initial values; deeper networks need an early epoch. Training then "
            "goes on with the learning rates after this epoch.",
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
    rewind_epoch = spec.option("rewind_epoch")
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
        run.train(spec.epochs, round=number, skip_epochs=rewind_epoch)
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
    rewind_epoch = run.spec.option("rewind_epoch")
    run.train(run.spec.epochs, round=number, series="random mask", skip_epochs=rewind_epoch)
