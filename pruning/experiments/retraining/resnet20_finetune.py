"""ResNet-20 on CIFAR-10: one-shot pruning of weights or filters, then fine-tuning."""

from collections.abc import Sequence

import pandas as pd

from pruning.cost.macs import dense_cost
from pruning.experiments.literature import PublishedResult
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
from pruning.experiments.retraining.published import RENDA, RENDA_DENSE, resnet20_filters
from pruning.models.checkpoints import shared_card
from pruning.recipe.recipe import Recipe
from pruning.training.spec import RunSpec, default_spec

EPOCHS = 10
FILTER_SHARE = 0.515
"""Share of the filters of each layer, which leaves about half of the MACs."""


def weight_specs(density: float, seeds: int) -> list[RunSpec]:
    """Return the runs that leave a share of the weights.

    Parameters
    ----------
    density : float
        Share of all weights.
    seeds : int
        Number of runs.

    Returns
    -------
    list of RunSpec
        One for each seed.
    """
    recipe = Recipe.one_step("resnet20", "cifar10", value=round(1 - density, 4))
    return [default_spec(recipe, "finetune", epochs=EPOCHS, seed=seed) for seed in range(seeds)]


def filter_specs(seeds: int) -> list[RunSpec]:
    """Return the runs that remove filters.

    Parameters
    ----------
    seeds : int
        Number of runs.

    Returns
    -------
    list of RunSpec
        One for each seed.
    """
    recipe = Recipe.one_step(
        "resnet20",
        "cifar10",
        method="filter",
        criterion="magnitude",
        scope="layer",
        value=FILTER_SHARE,
    )
    return [default_spec(recipe, "finetune", epochs=EPOCHS, seed=seed) for seed in range(seeds)]


def specs(seeds: int) -> Sequence[RunSpec]:
    """Return all runs.

    Parameters
    ----------
    seeds : int
        Number of runs of each setting.

    Returns
    -------
    sequence of RunSpec
        Weights, then filters.
    """
    result = []
    for published in RENDA:
        result += weight_specs(published.density, seeds)
    return result + filter_specs(seeds)


@retraining_benchmark(
    "resnet20-finetune",
    title="Weights and filters of ResNet-20 on CIFAR-10",
    specs=specs,
    has_curves=True,
    seeds=1,
    protocol=(
        f"Pruned once by magnitude, then fine-tuned for {EPOCHS} epochs (SGD with Nesterov "
        "momentum 0.9, learning rate from 0.05 to 0 along a cosine, batch 128, weight decay 5e-4, "
        "images shifted by up to 4 pixels and mirrored). Weights: all layers together. Filters: "
        f"those inside residual blocks, {FILTER_SHARE:.1%} of each layer. Test accuracy in "
        "percent; lost points are relative to the own dense network. Nothing was chosen by the "
        "test images."
    ),
    differences=(
        "the dense networks differ, so that lost points compare better than accuracies. Renda et "
        "al. fine-tune at the last learning rate of their training, with weight decay 2e-4. SFP "
        "prunes while it trains from scratch, and Distiller prunes gradually while it trains; "
        "both train for more epochs."
    ),
    sources=(
        "Renda et al. 2020, one-shot with 10 epochs of fine-tuning, median of three runs (dense "
        "91.71); SFP: He et al. 2018; Distiller: its example of automated gradual pruning (AGP), "
        "whose network has the projection shortcuts of this one."
    ),
)
def resnet20_finetune(runs: Runs, seeds: int) -> list[Part]:
    """Tabulate accuracies and lost points of weights, then of filters."""
    weights = []
    for published in RENDA:
        found = of_seeds(runs, weight_specs(published.density, seeds))
        row = {
            "weights left": f"{published.density:g}",
            **_accuracies(found),
            "published": f"{100 * published.accuracy:.2f}",
            "published, lost": f"{100 * (RENDA_DENSE - published.accuracy):.2f}",
        }
        weights.append(row)
    filters = [_own_filter_row(of_seeds(runs, filter_specs(seeds)))]
    for result in resnet20_filters():
        filters.append(_published_filter_row(result))
    dense = f"dense test accuracy {100 * _dense_accuracy():.2f}"
    return [
        ResultTable(f"Weights; {dense}, published {100 * RENDA_DENSE:.2f}", pd.DataFrame(weights)),
        ResultTable(f"Filters; {dense}", pd.DataFrame(filters)),
    ]


def _dense_accuracy() -> float:
    return shared_card("resnet20", "cifar10").test_accuracy


def _accuracies(found: Sequence[FinishedRun]) -> dict[str, str]:
    accuracies = [run.card.test_accuracy for run in found]
    dense = _dense_accuracy()
    return {
        "accuracy": mean_and_deviation(accuracies),
        "lost": mean_and_deviation([dense - accuracy for accuracy in accuracies]),
        "runs": str(len(found)),
    }


def _own_filter_row(found: Sequence[FinishedRun]) -> dict[str, str]:
    macs = dense_cost("resnet20", "cifar10").macs
    left = f"{100 * found[0].effective.macs / macs:.1f}" if found else MISSING
    return {"source": "measured", "MACs left, %": left, **_accuracies(found)}


def _published_filter_row(published: PublishedResult) -> dict[str, str]:
    return {
        "source": f"published: {published.source}",
        "MACs left, %": f"{100 * (published.macs or 1):.1f}",
        "accuracy": f"{100 * published.accuracy:.2f}",
        "lost": f"{100 * (published.base - published.accuracy):.2f}",
        "runs": "",
    }
