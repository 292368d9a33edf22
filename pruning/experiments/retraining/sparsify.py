"""Training with a penalty: L1, L2 and group lasso against their strength."""

from collections.abc import Sequence

import pandas as pd

from pruning.experiments.retraining.base import (
    Part,
    ResultTable,
    Runs,
    mean_and_deviation,
    of_seeds,
    retraining_benchmark,
)
from pruning.models.checkpoints import shared_card
from pruning.recipe.recipe import Recipe
from pruning.training.record import NEAR_ZERO
from pruning.training.spec import RunSpec, default_spec

EPOCHS = 5
STRENGTHS = (1e-5, 1e-4, 1e-3)
PENALTY_LABELS = {"l1": "L1", "l2": "L2", "group_lasso": "group lasso"}
SETTINGS = (
    ("l1", 0.0),  # no penalty, whatever its name
    *(("l1", strength) for strength in STRENGTHS),
    *(("l2", strength) for strength in STRENGTHS),
    *(("group_lasso", strength) for strength in STRENGTHS),
)
"""Penalty and its strength, a row each."""


def seeds_of(penalty: str, strength: float, seeds: int) -> list[RunSpec]:
    """Return the runs of a row.

    Parameters
    ----------
    penalty : str
        Name in ``PENALTIES``.
    strength : float
        Its factor in the loss.
    seeds : int
        Number of runs.

    Returns
    -------
    list of RunSpec
        Without weight decay, which is itself an L2 penalty.
    """
    recipe = Recipe.one_step("lenet300", "mnist", rule="threshold", value=NEAR_ZERO)
    options = (("penalty", penalty), ("strength", strength))
    specs = []
    for seed in range(seeds):
        spec = default_spec(
            recipe, "sparsify", epochs=EPOCHS, weight_decay=0.0, seed=seed, options=options
        )
        specs.append(spec)
    return specs


def specs(seeds: int) -> Sequence[RunSpec]:
    """Return all runs.

    Parameters
    ----------
    seeds : int
        Number of runs of each row.

    Returns
    -------
    sequence of RunSpec
        Row by row.
    """
    result = []
    for penalty, strength in SETTINGS:
        result += seeds_of(penalty, strength, seeds)
    return result


@retraining_benchmark(
    "sparsify",
    title="Penalties: LeNet-300-100 on MNIST",
    specs=specs,
    seeds=3,
    protocol=(
        f"The dense network is trained for {EPOCHS} more epochs (SGD with Nesterov momentum 0.9, "
        "learning rate from 0.05 to 0 along a cosine, batch 128, images shifted by up to 2 pixels, "
        f"no weight decay) with λ times a penalty on its weights; then all weights below "
        f"{NEAR_ZERO:g} are removed at once, without further training. L1 is the sum of absolute "
        "values, L2 half the sum of squares, the group lasso the sum over filters of the norm "
        "times the square root of the number of weights."
    ),
    differences="",
    sources="",
)
def sparsify(runs: Runs, seeds: int) -> list[Part]:
    """Tabulate weights near zero and accuracies, a row for each penalty and strength."""
    rows = []
    for penalty, strength in SETTINGS:
        found = of_seeds(runs, seeds_of(penalty, strength, seeds))
        row = {
            "penalty": PENALTY_LABELS[penalty] if strength else "none",
            "λ": f"{strength:.0e}" if strength else "0",
            "near zero, %": mean_and_deviation([run.records[-1].near_zero for run in found]),
            "before pruning, validation": mean_and_deviation(
                [run.records[-1].validation_accuracy for run in found]
            ),
            "after pruning, validation": mean_and_deviation(
                [run.card.validation_accuracy for run in found]
            ),
            "after pruning, test": mean_and_deviation([run.card.test_accuracy for run in found]),
            "runs": str(len(found)),
        }
        rows.append(row)
    caption = (
        f"Share of the weights with an absolute value below {NEAR_ZERO:g} after the last epoch, "
        "and accuracy in percent before and after these weights are removed"
    )
    card = shared_card("lenet300", "mnist")
    dense = (
        f"The dense network has a validation accuracy of {100 * card.validation_accuracy:.2f} % "
        f"and a test accuracy of {100 * card.test_accuracy:.2f} %."
    )
    return [dense, ResultTable(caption, pd.DataFrame(rows))]
