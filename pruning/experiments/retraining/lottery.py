"""Lottery tickets of LeNet-300-100 beside their controls."""

from collections.abc import Sequence

import pandas as pd

from pruning.experiments.retraining.base import (
    MISSING,
    FinishedRun,
    Part,
    ResultTable,
    Runs,
    mean_and_deviation,
    of_seeds,
    retraining_benchmark,
)
from pruning.recipe.recipe import Recipe
from pruning.training.record import EpochRecord
from pruning.training.spec import RunSpec, default_spec

ROUNDS = 15
EPOCHS = 3
LEARNING_RATE = 0.02
HIDDEN_SHARE, OUTPUT_SHARE = 0.2, 0.1
"""Share of the remaining weights that a round removes."""


def specs(seeds: int) -> Sequence[RunSpec]:
    """Return all runs.

    Parameters
    ----------
    seeds : int
        Number of runs, each with other initial weights.

    Returns
    -------
    sequence of RunSpec
        One for each seed.
    """
    hidden = round(1 - (1 - HIDDEN_SHARE) ** ROUNDS, 6)
    output = round(1 - (1 - OUTPUT_SHARE) ** ROUNDS, 6)
    recipe = Recipe.one_step(
        "lenet300", "mnist", scope="custom", value=hidden, values=(("fc3", output),)
    )
    options = (("controls", "yes"),)
    result = []
    for seed in range(seeds):
        spec = default_spec(
            recipe,
            "lottery",
            rounds=ROUNDS,
            epochs=EPOCHS,
            learning_rate=LEARNING_RATE,
            seed=seed,
            options=options,
        )
        result.append(spec)
    return result


SHOWN_ROUNDS = (3, 7, 15)
"""Rounds that leave about 51, 21 and 4 % of the weights."""
SERIES = {"": "ticket", "reinitialised": "reinitialised", "random mask": "random mask"}


@retraining_benchmark(
    "lottery",
    title="Lottery tickets: LeNet-300-100 on MNIST",
    specs=specs,
    seeds=3,
    protocol=(
        f"A network with new initial weights is trained for {EPOCHS} epochs (SGD with Nesterov "
        f"momentum 0.9, learning rate from {LEARNING_RATE:g} to 0 along a cosine, batch 128, "
        "images shifted by up to 2 pixels), pruned by magnitude, each hidden layer by 20 % of its "
        "remaining weights and the output layer by 10 %, and set back to its initial weights "
        f"(ticket); {ROUNDS} rounds. Controls of each round, trained as long: the ticket's masks "
        "with new initial weights (reinitialised), and its initial weights with masks permuted "
        "within each layer (random mask). Each seed has initial weights and an order of the images "
        "of its own. All accuracies are of the validation images."
    ),
    differences=(
        "the trainings are about a twentieth as long (Frankle and Carbin: Adam, 50,000 steps of "
        "60 images, without shifts), each with a learning rate that falls to 0, and the accuracy "
        "by step stands in place of their step of early stopping."
    ),
    sources=(
        "Frankle and Carbin 2019 report that the ticket with 51.3 % of the weights learns faster "
        "and better than the dense network, that with 21.1 % fastest, and that with 3.6 % is about "
        "as accurate as the dense network."
    ),
)
def lottery(runs: Runs, seeds: int) -> list[Part]:
    """Tabulate validation accuracies by step, a row for each ticket and control."""
    found = of_seeds(runs, specs(seeds))
    rows = [_row(found, 0, "", "dense")]
    for number in SHOWN_ROUNDS:
        for series, label in SERIES.items():
            rows.append(_row(found, number, series, label))
    caption = "Validation accuracy in percent, by the number of steps since the initial weights"
    return [ResultTable(caption, pd.DataFrame(rows)), f"Finished runs: {len(found)} of {seeds}."]


def _row(found: Sequence[FinishedRun], number: int, series: str, label: str) -> dict[str, str]:
    trainings = []
    for run in found:
        trainings.append([r for r in run.records if (r.round, r.series) == (number, series)])
    row = {"weights left, %": _weights_left(trainings), "network": label}
    for epoch in range(EPOCHS):
        accuracies = [records[epoch].validation_accuracy for records in trainings]
        row[f"{_steps(found, epoch + 1)} steps"] = mean_and_deviation(accuracies)
    return row


def _weights_left(trainings: Sequence[Sequence[EpochRecord]]) -> str:
    """As every seed leaves as many weights, the first one is shown."""
    return f"{100 * (1 - trainings[0][0].sparsity):.1f}" if trainings else MISSING


def _steps(found: Sequence[FinishedRun], epochs: int) -> str:
    return f"{epochs * found[0].records[0].steps:,}" if found else f"{epochs} epochs of"
