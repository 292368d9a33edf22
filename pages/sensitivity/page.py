"""Sensitivity: every layer pruned alone, and a plan of sparsities that follows from it."""

from functools import partial

import pandas as pd
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.controls import sidebar as controls
from pages.state.background_task import at_once
from pages.state.session import CHART, keep, only, plain, say, shown
from pages.state.url import follow_opened, open_on_explore
from pruning.data.datasets import DATASETS
from pruning.experiments import sensitivity
from pruning.experiments.sensitivity import Plan, Scan
from pruning.figures import sensitivity as figures
from pruning.figures.html_page import page as as_page
from pruning.methods.units import METHODS
from pruning.models import NETWORKS
from pruning.recipe.recipe import Recipe

COARSE = 0.02  # precision of a slow network's scan
MOST_LOSS = 50.0  # points that a plan may lose


def page() -> None:
    only("scan", "plan")
    follow_opened()
    if "lose" not in st.session_state or get_script_run_ctx().is_history_navigation:
        st.session_state["lose"] = _lose_of_link()
    recipe = controls.recipe(amount=False, view=("lose",))
    say()
    if recipe is None:
        return
    unit = METHODS[recipe.method].unit
    if recipe.method not in ("weight", "neuron", "filter"):
        st.info(
            f"A scan goes layer by layer, and {unit}s have no layers to choose from: choose weights, neurons or filters."
        )
        return
    slow = NETWORKS[recipe.network].slow and DATASETS[recipe.dataset].validation_images > 1000
    precision = COARSE if slow else None
    st.caption(
        f"{NETWORKS[recipe.network].label} on {DATASETS[recipe.dataset].label}: in each row one layer alone loses its "
        f"{unit}s, lowest scores first. Accuracy on {'the first' if slow else 'all'} validation images"
        + (f", until it is known to ± {100 * precision:g} points." if slow else ".")
        + " The sidebar's rule, scope and choice of layers make no difference here."
        + (" *Dense* is what the earlier steps have left." if recipe.earlier else "")
    )
    asked = sensitivity.layerwise(recipe).key
    found = at_once(
        "scan",
        ("scan", asked, precision),
        partial(_scan, asked, precision),
        _draw,
        "Scan the layers",
        every=2.0 if slow else 1.0,
    )
    if found is None:
        return
    pictures = st.container()
    planned = _plan(found)
    with pictures:
        _draw(found, planned)
    _tables(found)


def _lose_of_link() -> float:
    text = st.query_params.get("lose", "1.0")
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if 0 <= value <= MOST_LOSS:
        return value
    st.session_state["message"] = (
        f"The link could not be followed: lose must be from 0 to {MOST_LOSS:g} points, not {plain(text)}."
    )
    return 1.0


def _scan(recipe: Recipe, precision: float | None, report) -> Scan:
    return sensitivity.scan(recipe, lambda scan, share: report((scan, share)), precision=precision)


def _draw(found: Scan, planned: Plan | None = None) -> None:
    chosen = dict(planned.plan.recipe.values) if planned else None
    st.plotly_chart(
        figures.heatmap(found, chosen), key="scan heatmap", alt=figures.alt(found), **CHART
    )
    st.plotly_chart(figures.curves(found), key="scan curves", alt=figures.alt(found), **CHART)
    if all(p for row in found.points for p in row):
        order = found.order
        st.caption(
            f"Most sensitive first, by mean accuracy: {', '.join(order[:12])}{' ...' if len(order) > 12 else ''}."
        )


def _plan(found: Scan) -> Plan | None:
    """The planner's controls, and its answer."""
    st.markdown("##### Planner")
    narrow, _ = st.columns([2, 3])
    lose = narrow.number_input(
        "Lose at most this many points of validation accuracy",
        0.0,
        MOST_LOSS,
        step=0.5,
        **keep("lose"),
    )
    planned = at_once(
        "plan",
        ("plan", found.recipe, found.levels, lose, found.dense.tally.images),
        partial(_work, found, lose),
        lambda nothing: None,
        "Make a plan",
    )
    if planned is None:
        return None
    dense = 100 * planned.dense_validation
    st.dataframe(
        planned.table(),
        hide_index=True,
        column_config={
            "plan": st.column_config.TextColumn("sparsities", width="medium"),
            "effective_parameters": st.column_config.NumberColumn(
                "effective parameters", format="localized"
            ),
            "effective_macs": st.column_config.NumberColumn("effective MACs", format="localized"),
            "compression": st.column_config.NumberColumn(format="%.2fx"),
            "validation_accuracy": st.column_config.NumberColumn(
                "validation accuracy", format="percent"
            ),
            "test_accuracy": st.column_config.NumberColumn("test accuracy", format="percent"),
        },
    )
    values = dict(planned.plan.recipe.values)
    st.caption(
        f"Dense: {dense:.2f}% on validation. Chosen on validation images; the test images only report, all of them. The plan "
        "is marked in the heatmap: "
        + ", ".join(f"{name} {values.get(name, 0.0):.0%}" for name in found.layers)
        + "."
    )
    for one in planned.beside:
        gap = abs(one.parameters / max(1, planned.plan.parameters) - 1)
        if gap > 0.02:
            st.caption(f"{one.name}: its steps are coarse, the nearest size differs by {gap:.1%}.")
    st.button(
        "Open the plan on Explore",
        icon=":material/tune:",
        on_click=open_on_explore,
        args=[planned.plan.recipe],
    )
    return planned


def _work(found: Scan, lose: float, report) -> Plan:
    return sensitivity.plan(found, lose, lambda share: report((None, share)))


def _tables(found: Scan) -> None:
    table = found.table()
    one, two, three = st.columns(3)
    more = {"on_click": "ignore", "width": "stretch", "icon": ":material/download:"}
    one.download_button(
        "Scan as CSV", table.to_csv(index=False), "sensitivity.csv", "text/csv", **more
    )
    two.download_button(
        "Scan as JSON",
        lambda: pd.DataFrame(table).to_json(orient="records"),
        "sensitivity.json",
        "application/json",
        **more,
    )
    three.download_button(
        "Pictures as HTML",
        lambda: as_page(
            "Sensitivity",
            {
                "Accuracy by layer and level": figures.heatmap(found),
                "Accuracy of each layer": figures.curves(found),
            },
        ),
        "sensitivity.html",
        "text/html",
        **more,
    )


shown(page)
