"""The pictures and tables below the columns of a comparison."""

import json
from dataclasses import replace
from functools import partial

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.compare.cost_table import show_ledger
from pages.state.background_task import wanted
from pages.state.session import CHART, FIRST, jobs, visitor
from pruning.data.datasets import DATASETS
from pruning.engine import evaluate as sweep
from pruning.engine import prune as experiment
from pruning.engine.effective_cost import left, overlaps
from pruning.engine.evaluate import Point
from pruning.engine.prune import Outcome
from pruning.experiments import strength as curves
from pruning.experiments.comparison import Budget, Comparison, Progress, class_accuracy, short_names
from pruning.figures import comparison as figures
from pruning.figures import matrix
from pruning.figures.html_page import page
from pruning.methods.rules import RULES
from pruning.models import NETWORKS
from pruning.recipe.recipe import Recipe

SPARSITIES = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0)


def show_pictures(recipes: list[Recipe], budget: Budget, found: list[Progress]) -> None:
    names = short_names(recipes)
    outcomes = [progress.outcome for progress in found]
    lines = _curves(recipes)
    album: dict[str, go.Figure] = {}  # as they are drawn, for a file
    with st.container(key="pictures"):
        if partly := [o.accuracy.images for o in outcomes if not o.accuracy.complete]:
            st.caption(
                f"Pictures and table show estimates from the first {min(partly):,} test images or more; they are drawn anew "
                "when all have been classified."
            )
        for column, axis in zip(st.columns(3), figures.AXES):
            points = [[(_x(axis, o), o) for o in line] for line in lines]
            now = [(_x(axis, o), o) for o in outcomes]
            figure = album[f"Accuracy against {figures.AXES[axis]}"] = figures.against(
                axis, names, points, now, outcomes[0].dense_accuracy
            )
            column.plotly_chart(
                figure, key=f"against {axis}", alt=figures.alt_of_against(axis, names, now), **CHART
            )
        one, two = st.columns(2)
        with one:
            st.markdown("##### Sparsity of each layer")
            shares = [dict(zip(o.layers["name"], o.layers["sparsity"])) for o in outcomes]
            album["Sparsity of each layer"] = figures.layers(names, shares)
            st.plotly_chart(
                album["Sparsity of each layer"],
                key="layers",
                **CHART,
                alt="Sparsity of each layer: "
                + "; ".join(
                    f"{name} " + ", ".join(f"{k} {v:.0%}" for k, v in share.items())
                    for name, share in zip(names, shares)
                ),
            )
        with two:
            _show_classes(recipes, names, outcomes, album)
        with one:
            st.markdown("##### Overlap of the weights that they put out of use")
            table = pd.DataFrame(overlaps([o.recipe for o in outcomes]), names, names)
            album["Overlap of the weights put out of use"] = matrix.matrix(
                table, title="Jaccard overlap", low=0, what="column"
            )
            st.plotly_chart(
                album["Overlap of the weights put out of use"],
                key="overlap",
                **CHART,
                alt=matrix.alt(table, "Jaccard overlap of the removed weights"),
            )
    show_ledger(names, outcomes)
    _show_table(budget, found, album)


def _x(axis: str, outcome: Outcome | Point) -> float:
    if axis == "sparsity":
        return outcome.sparsity
    if isinstance(outcome, Point):
        return getattr(outcome, axis) / getattr(outcome.dense, axis)
    return getattr(left(outcome.recipe), axis) / getattr(outcome.dense, axis)


def _show_classes(
    recipes: list[Recipe], names: list[str], outcomes: list[Outcome], album: dict[str, go.Figure]
) -> None:
    st.markdown("##### Change of each class's accuracy")
    total = outcomes[0].accuracy.total
    whole = Recipe(recipes[0].network, recipes[0].dataset, value=0.0)
    # Dense is measured after the columns, so as not to hold them up.
    job = (
        jobs().subscribe((visitor(), "dense"), whole, partial(experiment.run, whole))
        if all(o.accuracy.images == total for o in outcomes)
        else None
    )
    if job is None or not job.wait(timeout=10.0):
        st.caption(
            "It needs all test images."
            if recipes[0].images
            else "It is shown when all test images have been classified."
        )
        return
    changes = [100 * (class_accuracy(o) - class_accuracy(job.result)) for o in outcomes]
    figure = album["Change of each class's accuracy"] = figures.classes(
        names, DATASETS[recipes[0].dataset].classes, changes
    )
    st.plotly_chart(
        figure,
        key="classes",
        **CHART,
        alt="Change of each class's accuracy in points: "
        + "; ".join(
            f"{name} {', '.join(f'{c:+.1f}' for c in change)}"
            for name, change in zip(names, changes)
        ),
    )


def _curves(recipes: list[Recipe]) -> list[tuple[Point, ...]]:
    """The curve of each column, on request."""
    data = DATASETS[recipes[0].dataset]
    images = min(FIRST, data.test_images) if NETWORKS[recipes[0].network].slow else None
    bases = tuple(
        replace(
            r.key,
            images=images,
            scope="layer" if r.scope == "custom" else r.scope,
            values=(),
            value=RULES[r.rule].patterns[0]
            if RULES[r.rule].patterns
            else max(0.0, RULES[r.rule].min_value),
        )
        for r in recipes
    )

    def work(report):
        families = [curves.family(base, SPARSITIES) for base in bases]
        points = iter(
            sweep.measure(
                [r for family in families for r in family], lambda progress: report(progress.share)
            )
        )
        return tuple(tuple(next(points) for _ in family) for family in families)

    return wanted("curves", ("curves", bases), work, "Compute the curves") or [()] * len(recipes)


def _show_table(budget: Budget, found: list[Progress], album: dict[str, go.Figure]) -> None:
    comparison = Comparison(budget, tuple(p.column for p in found), tuple(p.outcome for p in found))
    st.markdown("##### Table")
    table = comparison.table()
    percent = {
        name: st.column_config.NumberColumn(format="percent")
        for name in ("accuracy", "accuracy_low", "accuracy_high", "sparsity")
    }
    st.dataframe(table, hide_index=True, column_config=percent)
    one, two, three = st.columns(3)
    one.download_button(
        "Table as CSV",
        table.to_csv(index=False),
        "comparison.csv",
        "text/csv",
        on_click="ignore",
        width="stretch",
        icon=":material/download:",
    )
    two.download_button(
        "Comparison as JSON",
        json.dumps(comparison.to_dict(), indent=1),
        "comparison.json",
        "application/json",
        on_click="ignore",
        width="stretch",
        icon=":material/download:",
    )
    three.download_button(
        "Pictures as HTML",
        lambda: page("Comparison", album),
        "comparison.html",
        "text/html",
        on_click="ignore",
        width="stretch",
        icon=":material/download:",
        help="All of them. As PNG: the camera of each picture.",
    )
