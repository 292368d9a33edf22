"""Plans beside global, uniform, ERK and LAMP pruning of the same size; in `make bench`."""

import time
from collections.abc import Callable

from pruning.data import datasets
from pruning.experiments.sensitivity import scan_layers
from pruning.experiments.sparsity_plan import SparsityPlan, plan_sparsities
from pruning.models import NETWORKS
from pruning.recipe.recipe import Recipe
from tests.benchmarks.engine import empty_store

PLANNED = (
    ("lenet300", "mnist"),
    ("lenet5", "mnist"),
    ("lenet5-caffe", "mnist"),
    ("resnet20", "cifar10"),
)
METHODS = ("weight", "filter")
LOSSES = (0.5, 1.0, 2.0)
SLOW_PRECISION = 0.02
"""Of the scan of a slow network, as on the page; plans use all validation images."""


def name_of(network: str, dataset: str, method: str, loss: float) -> str:
    return f"planner, {network} on {dataset}, {method}s, {loss:g} points"


def names() -> list[str]:
    found = []
    for network, dataset in PLANNED:
        for method in METHODS:
            found += [name_of(network, dataset, method, loss) for loss in LOSSES]
    return found


def rows(row: Callable, is_selected: Callable[..., bool]) -> None:
    """Time each plan with an empty store, after its scan, and print the table of accuracies."""
    for network, dataset in PLANNED:
        if not datasets.available(dataset):
            print(f"planner, {network} on {dataset}: skipped")
            continue
        for method in METHODS:
            chosen = []
            for loss in LOSSES:
                if is_selected(name_of(network, dataset, method, loss)):
                    chosen.append(loss)
            if chosen:
                plans(network, dataset, method, chosen, row)


def plans(network: str, dataset: str, method: str, losses: list[float], row: Callable) -> None:
    recipe = Recipe.one_step(network, dataset, method=method)
    precision = SLOW_PRECISION if NETWORKS[network].slow else None
    with empty_store():
        scan = scan_layers(recipe, precision=precision)
    for loss in losses:
        with empty_store():
            began = time.perf_counter()
            plan = plan_sparsities(scan, loss)
            seconds = time.perf_counter() - began
        row(name_of(network, dataset, method, loss), seconds)
        print_accuracies(plan)


def print_accuracies(plan: SparsityPlan) -> None:
    print(f"    dense: validation {plan.dense_validation:.2%}", flush=True)
    for planned in (plan.plan, *plan.baselines):
        print(
            f"    {planned.name:40} {planned.effective.parameters:9,} effective parameters, "
            f"validation {planned.validation:.2%}, test {planned.test.value:.2%}"
        )
