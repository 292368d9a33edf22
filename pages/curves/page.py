"""Curves: recipes at many strengths in one picture, with the control that every comparison needs."""

import json
from dataclasses import replace
from functools import partial

import pandas as pd
import streamlit as st

from pages.curves.sidebar import AXES, SHOWN, bundle_of, chosen, put_link
from pages.state.background_task import at_once
from pages.state.session import CHART, keep, only, say, segments, shown
from pages.state.url import follow_opened, open_on_explore
from pruning.experiments import curves as bundle
from pruning.experiments import literature as published
from pruning.experiments.comparison import name_of
from pruning.experiments.curves import Line
from pruning.figures import curves as figures
from pruning.figures.html_page import page as as_page
from pruning.models import NETWORKS


def page() -> None:
    only("bundle")
    follow_opened()
    asked = bundle_of(chosen())
    if asked is None:
        return
    put_link(asked)
    say()
    controls = st.container(horizontal=True, vertical_alignment="bottom", gap="large")
    x = segments("Against", list(AXES), "curves x", controls, format_func=AXES.get)
    y = segments("Shown", SHOWN, "curves y", controls)
    beside = published.of(asked.recipes[0].network, asked.recipes[0].dataset)
    if beside:
        on = controls.toggle("Published points", **keep("curves published"))
        beside = [
            one for one in beside if on and y == "accuracy" and getattr(one, x, None) is not None
        ]
        if on and not beside:
            st.caption("The published points have no place on these axes.")
    draw = partial(_draw, x=x, y=y, stars=tuple(beside))
    found = at_once(
        "bundle",
        ("bundle", asked),
        partial(_work, asked),
        draw,
        "Compute the curves",
        every=2.0 if NETWORKS[asked.recipes[0].network].slow else 1.0,
    )
    if found is None:
        return
    draw(found)
    for one in beside:
        place = (
            f"{one.compression:g}x compression"
            if one.compression
            else f"{one.macs:.1%} of the MACs"
        )
        st.caption(
            f"{one.source}: {one.accuracy:.2%} at {place}, dense {one.base:.2%}; {one.remark}."
        )
    _tables(asked, found)


def _work(asked: bundle.Bundle, report) -> tuple[Line, ...]:
    return bundle.measure(asked, lambda lines, share: report((lines, share)))


def _draw(found: tuple[Line, ...], x: str, y: str, stars: tuple) -> None:
    names = [name_of(line.recipe, seed=False) for line in found]
    figure = figures.bundle(found, names, x=x, y=y, published=stars)
    follow_opened()  # here, too: while points still come, this is all that runs
    st.plotly_chart(
        figure,
        key="bundle",
        on_select=partial(_open, found),
        selection_mode="points",
        **CHART,
        alt=figures.alt(found, names, x=x, y=y),
    )
    st.caption(
        "A click on a point opens it on Explore, of several seeds the first."
        + (
            " A band is one standard deviation over the seeds."
            if any(len(line.runs) > 1 for line in found)
            else ""
        )
    )


def _open(found: tuple[Line, ...]) -> None:
    """A click on a point."""
    for point in st.session_state["bundle"].selection.points:
        if isinstance(told := point.get("customdata"), list | tuple) and len(told) == 2:
            line, place = told
            open_on_explore(replace(found[line].points[place][0].recipe, images=None))


def _tables(asked: bundle.Bundle, found: tuple[Line, ...]) -> None:
    st.markdown("##### Area under each curve")
    areas = pd.DataFrame(
        {
            "recipe": [name_of(line.recipe, seed=False) for line in found],
            "area": [line.area for line in found],
            "from": [min(figures.removed(p) for run in line.runs for p in run) for line in found],
            "to": [max(figures.removed(p) for run in line.runs for p in run) for line in found],
            "seeds": [len(line.runs) for line in found],
            "images": [min(p.tally.images for run in line.runs for p in run) for line in found],
        }
    )
    st.dataframe(
        areas.sort_values("area", ascending=False),
        hide_index=True,
        column_config={
            "recipe": st.column_config.TextColumn(width="medium"),
            "area": st.column_config.NumberColumn("mean accuracy", format="percent"),
            "from": st.column_config.NumberColumn("from sparsity", format="percent"),
            "to": st.column_config.NumberColumn("to sparsity", format="percent"),
            "images": st.column_config.NumberColumn("images a point, at least", format="localized"),
        },
    )
    st.caption(
        "The area under accuracy against sparsity (of pixels: the share of pixels), divided by its width. Only areas over the "
        "same range can be compared."
    )
    table = bundle.table(found)
    with st.expander("All points"):
        st.dataframe(table, hide_index=True)
    names = [name_of(line.recipe, seed=False) for line in found]
    one, two, three = st.columns(3)
    more = {"on_click": "ignore", "width": "stretch", "icon": ":material/download:"}
    one.download_button(
        "Points as CSV", table.to_csv(index=False), "curves.csv", "text/csv", **more
    )
    two.download_button(
        "Points as JSON",
        lambda: json.dumps(bundle.to_dict(asked, found), indent=1),
        "curves.json",
        "application/json",
        **more,
    )
    three.download_button(
        "Pictures as HTML",
        lambda: as_page(
            "Curves",
            {
                f"{y} against {AXES[x]}": figures.bundle(found, names, x=x, y=y)
                for x in AXES
                for y in SHOWN
            },
        ),
        "curves.html",
        "text/html",
        **more,
    )


shown(page)
