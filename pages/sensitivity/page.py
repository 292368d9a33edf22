"""Sensitivity: every layer pruned alone, and a plan of sparsities that follows from it."""

from collections.abc import Callable

import streamlit as st

from pages.controls.sidebar import await_and_draw_recipe
from pages.controls.step_form import ShownControls
from pages.sensitivity import planner
from pages.sensitivity.planner import draw_max_loss, draw_plan, plan_task
from pages.state.background_task import Task, TaskProgress, draw_task, wait_for
from pages.state.messages import render_page, show_pending_message
from pages.state.session import SessionState
from pages.state.tables import Download, draw_downloads
from pages.state.url import follow_opened_recipe
from pages.state.visitor import set_active_work
from pages.state.widgets import CHART
from pruning.data.datasets import DATASETS
from pruning.experiments.sensitivity import SensitivityScan, layerwise, scan_layers
from pruning.experiments.sparsity_plan import SparsityPlan
from pruning.figures.html_page import html_page
from pruning.figures.sensitivity_curves import alt_of_sensitivity_curves, sensitivity_curves
from pruning.figures.sensitivity_heatmap import alt_of_sensitivity_heatmap, sensitivity_heatmap
from pruning.methods.units import METHODS
from pruning.models import NETWORKS
from pruning.recipe.recipe import Recipe

TASK = "scan"
SHOWN = ShownControls(rule=False, scope=False, layers=False)
"""Every layer is pruned alone, by a share of its units."""
COARSE_PRECISION = 0.02  # of the scan of a slow network
SLOW_VALIDATION_IMAGES = 1000
MAX_NAMED_LAYERS = 12


def page() -> None:
    """Draw the page."""
    set_active_work(TASK, planner.TASK)
    st.title("Sensitivity")
    follow_opened_recipe()
    recipe = await_and_draw_recipe((SessionState.lose.key,), SHOWN)
    show_pending_message()
    if recipe is None:
        return
    method = METHODS[recipe.last_step.method]
    if not method.competing_groups:
        st.info(
            f"A scan goes layer by layer, and {method.unit}s have no layers to choose from: "
            f"choose {_methods_with_layers()}."
        )
        return
    precision = _precision(recipe)
    _draw_description(recipe, precision)
    task = _task(layerwise(recipe), precision)
    scan = wait_for(task)
    if scan is None:
        draw_task(task)
        return
    figures = st.container()
    planning = plan_task(scan, draw_max_loss())
    plan = wait_for(planning)
    if plan is None:
        draw_task(planning)
    else:
        draw_plan(plan)
    with figures:
        _draw_figures(scan, plan)
    _draw_downloads(scan)


def _methods_with_layers() -> str:
    """Name the units that a scan can remove."""
    units = [f"{method.unit}s" for method in METHODS.values() if method.competing_groups]
    return f"{', '.join(units[:-1])} or {units[-1]}"


def _precision(recipe: Recipe) -> float | None:
    has_many_images = DATASETS[recipe.dataset].validation_images > SLOW_VALIDATION_IMAGES
    return COARSE_PRECISION if NETWORKS[recipe.network].slow and has_many_images else None


def _draw_description(recipe: Recipe, precision: float | None) -> None:
    network, dataset = NETWORKS[recipe.network], DATASETS[recipe.dataset]
    unit = METHODS[recipe.last_step.method].unit
    if precision is None:
        images = "all validation images."
    else:
        images = f"the first validation images, until it is known to ± {100 * precision:g} points."
    text = (
        f"{network.label} on {dataset.label}: each row is one layer that alone loses its {unit}s, "
        f"lowest scores first, and the points of accuracy that this costs. Accuracy on {images}"
    )
    if recipe.previous_steps:
        text += " *Dense* is the network after the previous steps."
    st.caption(text)


def _task(recipe: Recipe, precision: float | None) -> Task:
    def work(report: Callable[[TaskProgress], None]) -> SensitivityScan:
        return scan_layers(
            recipe, lambda scan, share: report(TaskProgress(share, scan)), precision=precision
        )

    return Task(
        name=TASK,
        key=("scan", recipe, precision),
        work=work,
        label="Scan the layers",
        starts_itself=True,
        draw_partial=_draw_figures,
        interval=1.0 if precision is None else 2.0,
        subject="The scan",
    )


def _draw_figures(scan: SensitivityScan, plan: SparsityPlan | None = None) -> None:
    chosen = plan.plan.sparsities if plan else None
    st.plotly_chart(
        sensitivity_heatmap(scan, chosen),
        key="sensitivity_heatmap",
        alt=alt_of_sensitivity_heatmap(scan),
        **CHART,
    )
    st.plotly_chart(
        sensitivity_curves(scan),
        key="sensitivity_curves",
        alt=alt_of_sensitivity_curves(scan),
        **CHART,
    )
    if scan.is_complete:
        layers = ", ".join(scan.order[:MAX_NAMED_LAYERS])
        dots = ", ..." if len(scan.order) > MAX_NAMED_LAYERS else ""
        st.caption(f"Most sensitive first, by mean accuracy: {layers}{dots}")


def _draw_downloads(scan: SensitivityScan) -> None:
    table = scan.table()

    def rows() -> str:
        return table.to_json(orient="records")

    def figures() -> str:
        return html_page(
            "Sensitivity",
            {
                "Points lost by layer and sparsity": sensitivity_heatmap(scan),
                "Accuracy of each layer": sensitivity_curves(scan),
            },
        )

    draw_downloads(
        "sensitivity",
        [
            Download("Scan as CSV", "csv", "text/csv", table.to_csv(index=False)),
            Download("Scan as JSON", "json", "application/json", rows),
            Download("Figures as HTML", "html", "text/html", figures),
        ],
    )


render_page(page)
