"""Sensitivity: every layer pruned alone, and a plan of sparsities that follows from it."""

from collections.abc import Callable

import streamlit as st

from pages.controls.sidebar import draw_recipe
from pages.sensitivity import planner
from pages.sensitivity.planner import MAX_LOSS, draw_planner
from pages.state.background_task import Task, TaskProgress, draw_task, wait_for
from pages.state.messages import render_page, report_bad_link, show_pending_message
from pages.state.session import SessionState, session
from pages.state.tables import download_row
from pages.state.url import follow_opened_recipe, is_history_navigation
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
from pruning.recipe.serialization import parse_float

TASK = "scan"
METHODS_WITH_LAYERS = ("weight", "neuron", "filter")
COARSE_PRECISION = 0.02  # of the scan of a slow network
SLOW_VALIDATION_IMAGES = 1000
DEFAULT_LOSS = 1.0
MAX_NAMED_LAYERS = 12


def page() -> None:
    """Draw the page."""
    set_active_work(TASK, planner.TASK)
    st.title("Sensitivity")
    follow_opened_recipe()
    if not SessionState.lose.is_set() or is_history_navigation():
        _read_max_loss()
    recipe = draw_recipe(view=("lose",))
    show_pending_message()
    if recipe is None:
        return
    step = recipe.last_step
    if step.method not in METHODS_WITH_LAYERS:
        st.info(
            f"A scan goes layer by layer, and {METHODS[step.method].unit}s have no layers to "
            "choose from: choose weights, neurons or filters."
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
    plan = draw_planner(scan)
    with figures:
        _draw_figures(scan, plan)
    _draw_downloads(scan)


def _read_max_loss() -> None:
    """Follow the link, or report what is wrong with it."""
    session.lose = DEFAULT_LOSS
    if "lose" not in st.query_params:
        return
    text = st.query_params["lose"]
    try:
        session.lose = _parse_max_loss(text)
    except ValueError as error:
        report_bad_link(error)


def _parse_max_loss(text: str) -> float:
    value = parse_float("lose", text)
    if not 0 <= value <= MAX_LOSS:
        raise ValueError(f"lose must be from 0 to {MAX_LOSS:g} points, not {text[:30]}")
    return value


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
        f"lowest scores first. Accuracy on {images} The rule, the scope and the layers of the "
        "sidebar make no difference here."
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
    chosen = dict(plan.plan.recipe.last_step.values) if plan else None
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

    def figures() -> str:
        return html_page(
            "Sensitivity",
            {
                "Accuracy by layer and sparsity": sensitivity_heatmap(scan),
                "Accuracy of each layer": sensitivity_curves(scan),
            },
        )

    download_row(
        "sensitivity",
        {
            "Scan as CSV": ("csv", "text/csv", table.to_csv(index=False)),
            "Scan as JSON": ("json", "application/json", lambda: table.to_json(orient="records")),
            "Figures as HTML": ("html", "text/html", figures),
        },
    )


render_page(page)
