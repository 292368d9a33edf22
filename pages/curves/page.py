"""Curves: recipes at many strengths in one figure, with the random control beside them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pandas as pd
import streamlit as st

from pages.curves import sidebar
from pages.curves.link import X_LABELS, Y_LABELS, CurvesLink, put_link
from pages.state.background_task import Task, TaskProgress, draw_task, wait_for
from pages.state.messages import render_page, show_pending_message
from pages.state.session import SessionState, session
from pages.state.tables import Download, column_config, draw_downloads
from pages.state.url import follow_opened_recipe, open_on_explore
from pages.state.visitor import set_active_work
from pages.state.widgets import CHART, persistent, segments
from pruning.experiments.curve_request import CurveRequest
from pruning.experiments.curve_table import curves_table, curves_to_dict
from pruning.experiments.curves import Curve, measure_curves
from pruning.experiments.literature import PublishedResult, results_for
from pruning.experiments.retrained import RetrainedCurve, curves_of_runs, shipped_curves
from pruning.figures.curves import (
    alt_of_tradeoff_curves,
    published_on_axes,
    retrained_on_axes,
    tradeoff_curves,
)
from pruning.figures.html_page import html_page
from pruning.models import NETWORKS
from pruning.recipe.labels import recipe_label
from pruning.recipe.recipe import Recipe

TASK = "curves"
CHART_KEY = "tradeoff_curves"
MAX_RUNS = 30  # the newest ones


@dataclass(frozen=True)
class Axes:
    """What the figure shows of the curves."""

    x: str
    y: str
    published: list[PublishedResult]
    retrained: list[RetrainedCurve]


def page() -> None:
    """Draw the page."""
    set_active_work(TASK)
    st.title("Curves")
    follow_opened_recipe()
    sidebar.follow_link()
    show_pending_message()
    request = sidebar.draw()
    if request is None:
        return
    axes = _choose_axes(request)
    put_link(
        CurvesLink(request, axes.x, axes.y, session.curves_published, session.curves_retrained)
    )
    draw = partial(_draw_curves, axes=axes)
    task = _task(request, draw)
    curves = wait_for(task)
    if curves is None:
        draw_task(task)
        return
    draw(curves)
    _draw_published(axes.published)
    _draw_tables(request, curves)


def _choose_axes(request: CurveRequest) -> Axes:
    x_key, y_key = SessionState.curves_x.key, SessionState.curves_y.key
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        x = segments("Horizontal axis", list(X_LABELS), x_key, format_func=X_LABELS.get)
        y = segments("Vertical axis", list(Y_LABELS), y_key, format_func=Y_LABELS.get)
        first = request.recipes[0]
        published = results_for(first.network, first.dataset)
        if published:
            st.toggle("Published", **persistent(SessionState.curves_published.key))
        st.toggle(
            "Retrained",
            help="Networks that were pruned and trained: results of this project, where there are "
            "any, and finished runs of the page Retrain on this server.",
            **persistent(SessionState.curves_retrained.key),
        )
    methods = [recipe.last_step.method for recipe in request.recipes]
    return Axes(x, y, _published(published, x, y), _retrained(first, methods, x, y))


def _published(results: list[PublishedResult], x: str, y: str) -> list[PublishedResult]:
    if not results or not session.curves_published:
        return []
    shown = published_on_axes(results, x, y)
    if not shown:
        st.caption("The published points have no values on these axes.")
    return shown


def _retrained(recipe: Recipe, methods: list[str], x: str, y: str) -> list[RetrainedCurve]:
    if not session.curves_retrained:
        return []
    curves = shipped_curves(recipe.network, recipe.dataset)
    curves += curves_of_runs(recipe.network, recipe.dataset, MAX_RUNS)
    shown = retrained_on_axes(curves, methods, x, y)
    if not curves:
        st.caption("No retrained networks of this network and dataset: see the page Retrain.")
    elif not shown:
        st.caption("The retrained networks have no values on these axes.")
    return shown


def _task(request: CurveRequest, draw: Callable[[tuple[Curve, ...]], None]) -> Task:
    def work(report: Callable[[TaskProgress], None]) -> tuple[Curve, ...]:
        def report_curves(curves: tuple[Curve, ...], share: float) -> None:
            report(TaskProgress(share, curves or None))

        return measure_curves(request, report_curves)

    return Task(
        name=TASK,
        key=("curves", request),
        work=work,
        label="Compute the curves",
        starts_itself=True,
        draw_partial=draw,
        interval=2.0 if NETWORKS[request.recipes[0].network].slow else 1.0,
        subject="The curves",
    )


def _labels(curves: tuple[Curve, ...]) -> list[str]:
    return [recipe_label(curve.recipe, with_seed=False) for curve in curves]


def _draw_curves(curves: tuple[Curve, ...], axes: Axes) -> None:
    follow_opened_recipe()  # a run of the fragment alone can be the first one after a click
    labels = _labels(curves)
    st.plotly_chart(
        tradeoff_curves(
            curves,
            labels,
            x=axes.x,
            y=axes.y,
            published=axes.published,
            retrained=axes.retrained,
        ),
        key=CHART_KEY,
        on_select=partial(_open_clicked_point, curves, axes.retrained),
        selection_mode="points",
        alt=alt_of_tradeoff_curves(curves, labels, x=axes.x, y=axes.y, retrained=axes.retrained),
        **CHART,
    )
    note = "Click a point to open its recipe on Explore (with several seeds: the first)."
    if any(len(curve.runs) > 1 for curve in curves):
        note += " The bands are one standard deviation over the seeds."
    if axes.retrained:
        note += (
            " Grey: pruned and trained, so with more work than the curves; dashed lines are results"
            " of this project, and single points are runs on this server."
        )
    st.caption(note)


def _open_clicked_point(curves: tuple[Curve, ...], retrained: list[RetrainedCurve]) -> None:
    for point in st.session_state[CHART_KEY].selection.points:
        position = point.get("customdata")
        if isinstance(position, list | tuple) and len(position) == 2:
            curve, index = position
            open_on_explore(curves[curve].points[index][0].recipe.on_all_images)
        elif isinstance(position, str):
            _open_run(position, retrained)


def _open_run(name: str, retrained: list[RetrainedCurve]) -> None:
    """Open a run of this server, if the point is one."""
    for curve in retrained:
        for point in curve.points:
            network = point.networks[0]
            if name and network.run == name:
                recipe = Recipe.one_step(
                    network.network,
                    network.dataset,
                    method=network.method,
                    value=0.0,
                    checkpoint=name,
                )
                open_on_explore(recipe)
                return


def _draw_published(published: list[PublishedResult]) -> None:
    for result in published:
        if result.compression:
            position = f"{result.compression:g}x compression"
        else:
            position = f"{result.macs:.1%} of the MACs"
        st.caption(
            f"{result.source}: {result.accuracy:.2%} at {position}, dense {result.base:.2%}; "
            f"{result.remark}."
        )


def _draw_tables(request: CurveRequest, curves: tuple[Curve, ...]) -> None:
    st.markdown("## Mean accuracy of each curve")
    percent = partial(st.column_config.NumberColumn, format="percent")
    st.dataframe(
        _areas(curves),
        hide_index=True,
        column_config={
            "recipe": st.column_config.TextColumn(width="medium"),
            "area": percent("mean accuracy"),
            "from": percent("from sparsity"),
            "to": percent("to sparsity"),
            "images": st.column_config.NumberColumn("images per point (min.)", format="localized"),
        },
    )
    st.caption(
        "Area under accuracy against sparsity, divided by its width; for pixels, against the share "
        "of pixels. Only values over the same range can be compared."
    )
    table = curves_table(curves).rename(columns={"compression": "effective_compression"})
    with st.expander("All points"):
        st.dataframe(table, hide_index=True, column_config=column_config(table))
    draw_downloads("curves", _downloads(request, curves, table))


def _downloads(
    request: CurveRequest, curves: tuple[Curve, ...], table: pd.DataFrame
) -> list[Download]:
    def points() -> str:
        return json.dumps(curves_to_dict(request, curves), indent=1)

    return [
        Download("Points as CSV", "csv", "text/csv", table.to_csv(index=False)),
        Download("Points as JSON", "json", "application/json", points),
        Download("Figures as HTML", "html", "text/html", partial(_html_page, curves)),
    ]


def _areas(curves: tuple[Curve, ...]) -> pd.DataFrame:
    rows = []
    for label, curve in zip(_labels(curves), curves, strict=True):
        removed = [evaluation.removed for evaluation in curve.evaluations]
        images = [evaluation.tally.images for evaluation in curve.evaluations]
        row = {
            "recipe": label,
            "area": curve.area,
            "from": min(removed),
            "to": max(removed),
            "seeds": len(curve.runs),
            "images": min(images),
        }
        rows.append(row)
    return pd.DataFrame(rows).sort_values("area", ascending=False)


def _html_page(curves: tuple[Curve, ...]) -> str:
    labels, figures = _labels(curves), {}
    for x, x_label in X_LABELS.items():
        for y, y_label in Y_LABELS.items():
            title = f"{y_label.capitalize()} against {x_label}"
            figures[title] = tradeoff_curves(curves, labels, x=x, y=y)
    return html_page("Curves", figures)


render_page(page)
