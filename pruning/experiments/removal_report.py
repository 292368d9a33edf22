"""The cost report of a recipe: its dense, masked and compact network side by side."""

from pruning.cost.latency import MeasurementCallback
from pruning.cost.report import CostReport, cost_report
from pruning.engine.prune import prune, trained_model
from pruning.recipe.recipe import Recipe
from pruning.runtime.progress import ignore_progress


def report_removal(
    recipe: Recipe, report: MeasurementCallback = ignore_progress, seconds: float = 1.0
) -> CostReport:
    """Count and measure the cost of a recipe.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.
    report : callable
        Called between measurements; an exception that it raises ends the work.
    seconds : float
        Duration of each measurement of latency.

    Returns
    -------
    CostReport
        The costs.
    """
    pruned = prune(recipe)
    return cost_report(
        trained_model(recipe),
        pruned.recovered.copy(),
        pruned.compact_model,
        recipe.dataset,
        masked_weights=sum(pruned.kept_weights.values()),
        masked_cost=pruned.masked,
        input_mask=pruned.network.input_mask,
        report=report,
        seconds=seconds,
    )
