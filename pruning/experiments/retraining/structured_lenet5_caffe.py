"""LeNet-5-Caffe on MNIST with fewer filters and hidden units, beside published architectures."""

from collections.abc import Sequence

import pandas as pd

from pruning.cost.macs import dense_cost
from pruning.experiments.retraining.base import (
    MISSING,
    Part,
    ResultTable,
    Runs,
    mean_and_deviation,
    of_seeds,
    retraining_benchmark,
)
from pruning.experiments.retraining.published import LENET5_CAFFE_UNITS, PublishedArchitecture
from pruning.models.checkpoints import shared_card
from pruning.recipe.recipe import Recipe
from pruning.training.spec import RunSpec, default_spec

ROUNDS = 4
EPOCHS = 2
DENSE_UNITS = {"conv1": 20, "conv2": 50, "fc1": 500}
POSITIONS = 16
"""Inputs of the linear layer for each filter of the second convolution."""


def seeds_of(published: PublishedArchitecture, seeds: int) -> list[RunSpec]:
    """Return the runs that leave as many filters and hidden units as a published network.

    Parameters
    ----------
    published : PublishedArchitecture
        Gives the units.
    seeds : int
        Number of runs.

    Returns
    -------
    list of RunSpec
        One for each seed.
    """
    shares = []
    for layer, units in DENSE_UNITS.items():
        left = getattr(published, layer)
        shares.append((layer, round(1 - left / units, 6)))
    recipe = Recipe.one_step(
        "lenet5-caffe",
        "mnist",
        method="filter",
        criterion="magnitude",
        scope="custom",
        value=0.0,
        values=tuple(shares),
    )
    specs = []
    for seed in range(seeds):
        specs.append(default_spec(recipe, "iterative", rounds=ROUNDS, epochs=EPOCHS, seed=seed))
    return specs


def specs(seeds: int) -> Sequence[RunSpec]:
    """Return all runs.

    Parameters
    ----------
    seeds : int
        Number of runs of each architecture.

    Returns
    -------
    sequence of RunSpec
        Architecture by architecture.
    """
    result = []
    for published in LENET5_CAFFE_UNITS:
        result += seeds_of(published, seeds)
    return result


@retraining_benchmark(
    "structured-lenet5-caffe",
    title="Filters and hidden units of LeNet-5-Caffe on MNIST",
    specs=specs,
    has_curves=True,
    seeds=1,
    protocol=(
        "Filters of the convolutions and hidden units of the linear layer are removed by the L1 "
        "norm of their weights, in each layer as many as in the published network, in "
        f"{ROUNDS} rounds of {EPOCHS} epochs, {ROUNDS * EPOCHS} epochs in all (SGD with Nesterov "
        "momentum 0.9, learning rate from 0.05 to 0 along a cosine in each round, batch 128, "
        "weight decay 5e-4, images shifted by up to 2 pixels). Nothing was chosen by the test "
        "images."
    ),
    differences=(
        "the published methods learn how many units each layer keeps, and remove single inputs of "
        "the linear layer; here all 16 positions of a channel stay, so that its inputs are 16 "
        "times the filters of the second convolution. The dense network is another one."
    ),
    sources="as in the table, test errors as reported there.",
)
def structured_lenet5_caffe(runs: Runs, seeds: int) -> list[Part]:
    """Tabulate units and test errors, a row for each published network."""
    dense = dense_cost("lenet5-caffe", "mnist")
    error = 1 - shared_card("lenet5-caffe", "mnist").test_accuracy
    rows = [
        {
            "units left": "20-50-800-500",
            "parameters": f"{dense.parameters:,}",
            "MACs": f"{dense.macs:,}",
            "test error, %": f"{100 * error:.2f}",
            "runs": "",
            "published units": "",
            "published test error, %": "",
            "source": "",
        }
    ]
    for published in LENET5_CAFFE_UNITS:
        rows.append(_row(published, runs, seeds))
    caption = (
        "Units left (filters, filters, inputs of the linear layer, hidden units), effective cost "
        "and test error"
    )
    return [ResultTable(caption, pd.DataFrame(rows))]


def _row(published: PublishedArchitecture, runs: Runs, seeds: int) -> dict[str, str]:
    found = of_seeds(runs, seeds_of(published, seeds))
    units = parameters = macs = MISSING
    if found:
        first = found[0]  # the other seeds keep as many units
        left = first.units_left()
        inputs = POSITIONS * left["conv2"]
        units = f"{left['conv1']}-{left['conv2']}-{inputs}-{left['fc1']}"
        parameters, macs = f"{first.effective.parameters:,}", f"{first.effective.macs:,}"
    shape = (published.conv1, published.conv2, published.inputs, published.fc1)
    return {
        "units left": units,
        "parameters": parameters,
        "MACs": macs,
        "test error, %": mean_and_deviation([run.test_error for run in found]),
        "runs": str(len(found)),
        "published units": "-".join(str(count) for count in shape),
        "published test error, %": f"{100 * published.error:.1f}",
        "source": published.source,
    }
