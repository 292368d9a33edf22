"""Figures and tables below the columns of a comparison."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.compare.cost_table import draw_cost_report
from pages.state.background_task import Task, TaskProgress, draw_task, wait_for
from pages.state.tables import column_config, download_row
from pages.state.widgets import CHART
from pruning.data.datasets import DATASETS
from pruning.engine.evaluate import EvaluationProgress, evaluate
from pruning.engine.evaluation import Evaluation
from pruning.engine.pruned_network import PrunedNetwork
from pruning.experiments.budgets import Budget, MatchedRecipe
from pruning.experiments.comparison import Comparison
from pruning.experiments.curves import recipes_along_curve
from pruning.experiments.mask_overlap import mask_overlaps
from pruning.experiments.strength import without_value
from pruning.figures.accuracy_against import AXES, accuracy_against, alt_of_accuracy_against
from pruning.figures.class_change import alt_of_class_change, class_change
from pruning.figures.html_page import html_page
from pruning.figures.layer_sparsity import alt_of_layer_sparsity, layer_sparsity
from pruning.figures.matrix import alt_of_matrix, matrix
from pruning.models import NETWORKS
from pruning.recipe.labels import short_labels
from pruning.recipe.recipe import Recipe

CURVES_TASK = "comparison curves"
DENSE_TASK = "dense"
SPARSITIES = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0)
FIRST_ESTIMATE_IMAGES = 1000
"""Test images for the points of a slow network's curves."""
DENSE_WAIT_S = 10.0


@dataclass(frozen=True)
class ColumnResult:
    """What is known of one column.

    Parameters
    ----------
    recipe : Recipe
        The recipe of the column.
    matched : MatchedRecipe
        The recipe at the budget.
    evaluation : Evaluation
        Its evaluation so far.
    pruned : PrunedNetwork
        Its network.
    """

    recipe: Recipe
    matched: MatchedRecipe
    evaluation: Evaluation
    pruned: PrunedNetwork


class Figures(dict[str, go.Figure]):
    """The figures of a page by title, as they are drawn, for a file."""

    def draw(self, title: str, figure: go.Figure, alt: str) -> None:
        """Draw a figure and remember it.

        Parameters
        ----------
        title : str
            Heading in the file, and key of the chart.
        figure : go.Figure
            The figure.
        alt : str
            What it shows, in words.
        """
        self[title] = figure
        st.plotly_chart(figure, key=f"chart, {title}", alt=alt, **CHART)


def draw_charts(columns: Sequence[ColumnResult], budget: Budget) -> None:
    """Draw figures, cost report and table of a comparison.

    Parameters
    ----------
    columns : sequence of ColumnResult
        One for each column.
    budget : Budget
        What they have in common.
    """
    labels = short_labels([column.recipe for column in columns])
    figures = Figures()
    with st.container(key="pictures"):
        _draw_estimate_note(columns)
        _draw_accuracies(labels, columns, figures)
        left, right = st.columns(2)
        with left:
            _draw_layers(labels, columns, figures)
        with right:
            _draw_classes(labels, columns, figures)
        with left:
            _draw_overlap(labels, columns, figures)
    draw_cost_report(labels, [column.matched.recipe for column in columns])
    _draw_table(columns, budget, figures)


def _draw_estimate_note(columns: Sequence[ColumnResult]) -> None:
    images = []
    for column in columns:
        accuracy = column.evaluation.accuracy
        if not accuracy.complete:
            images.append(accuracy.images)
    if images:
        st.caption(
            f"Figures and table show estimates from the first {min(images):,} test images or more; "
            "they are updated when all images have been classified."
        )


def _draw_accuracies(
    labels: Sequence[str], columns: Sequence[ColumnResult], figures: Figures
) -> None:
    curves = _curves([column.recipe for column in columns])
    current = [column.evaluation for column in columns]
    for place, (axis, quantity) in zip(st.columns(len(AXES)), AXES.items(), strict=True):
        with place:
            figures.draw(
                f"Accuracy against {quantity.title}",
                accuracy_against(axis, labels, curves, current),
                alt_of_accuracy_against(axis, labels, current),
            )


def _curves(recipes: Sequence[Recipe]) -> Sequence[Sequence[Evaluation]]:
    """The curve of each column, on request; empty before."""
    task = _curves_task(tuple(_curve_recipe(recipe) for recipe in recipes))
    curves = wait_for(task)
    if curves is None:
        draw_task(task)
        return [()] * len(recipes)
    return curves


def _curve_recipe(recipe: Recipe) -> Recipe:
    """The recipe that is the same for all strengths, with one value for all layers."""
    max_images = None
    if NETWORKS[recipe.network].slow:
        max_images = min(FIRST_ESTIMATE_IMAGES, DATASETS[recipe.dataset].test_images)
    recipe = replace(recipe, max_test_images=max_images)
    if recipe.last_step.scope == "custom":
        recipe = recipe.with_last_step(scope="layer", values=())
    return without_value(recipe)


def _curves_task(recipes: tuple[Recipe, ...]) -> Task:
    def work(report: Callable[[TaskProgress], None]) -> tuple[tuple[Evaluation, ...], ...]:
        families = [recipes_along_curve(recipe, SPARSITIES) for recipe in recipes]
        points = []
        for family in families:
            points += family
        evaluations = evaluate(points, report=_report_share(report))
        curves, start = [], 0
        for family in families:
            end = start + len(family)
            curves.append(evaluations[start:end])
            start = end
        return tuple(curves)

    return Task(
        name=CURVES_TASK,
        key=("comparison curves", recipes),
        work=work,
        label="Compute the curves",
        subject="The curves",
    )


def _report_share(
    report: Callable[[TaskProgress], None],
) -> Callable[[EvaluationProgress], None]:
    return lambda progress: report(TaskProgress(progress.share))


def _draw_layers(labels: Sequence[str], columns: Sequence[ColumnResult], figures: Figures) -> None:
    st.markdown("##### Sparsity of each layer")
    sparsities = []
    for column in columns:
        table = column.pruned.layer_table
        sparsities.append(dict(zip(table["name"], table["sparsity"], strict=True)))
    figures.draw(
        "Sparsity of each layer",
        layer_sparsity(labels, sparsities),
        alt_of_layer_sparsity(labels, sparsities),
    )


def _draw_classes(labels: Sequence[str], columns: Sequence[ColumnResult], figures: Figures) -> None:
    st.markdown("##### Change of each class's accuracy")
    first = columns[0].recipe
    total = columns[0].evaluation.total
    if any(column.recipe.max_test_images is not None for column in columns):
        st.caption("All test images are needed.")
        return
    if any(column.evaluation.tally.images < total for column in columns):
        st.caption("Shown when all test images have been classified.")
        return
    task = _dense_task(first.network, first.dataset)  # after the columns, which it would delay
    dense = wait_for(task, DENSE_WAIT_S)
    if dense is None:
        draw_task(task)
        return
    changes = []
    for column in columns:
        changes.append(100 * (column.evaluation.class_accuracy() - dense.class_accuracy()))
    figures.draw(
        "Change of each class's accuracy",
        class_change(labels, DATASETS[first.dataset].classes, changes),
        alt_of_class_change(labels, changes),
    )


def _dense_task(network: str, dataset: str) -> Task:
    dense = Recipe.one_step(network, dataset, value=0.0)

    def work(report: Callable[[TaskProgress], None]) -> Evaluation:
        [evaluation] = evaluate([dense], report=_report_share(report))
        return evaluation

    return Task(
        name=DENSE_TASK,
        key=("dense", dense),
        work=work,
        label="Classify with the dense network",
        starts_itself=True,
        subject="The dense network's accuracy",
    )


def _draw_overlap(labels: Sequence[str], columns: Sequence[ColumnResult], figures: Figures) -> None:
    st.markdown("##### Overlap of the removed weights")
    overlaps = mask_overlaps([column.matched.recipe for column in columns])
    table = pd.DataFrame(overlaps, list(labels), list(labels))
    figures.draw(
        "Overlap of the removed weights",
        matrix(table, title="Jaccard overlap", low=0, axis_title="column"),
        alt_of_matrix(table, "Jaccard overlap of the removed weights"),
    )


def _draw_table(columns: Sequence[ColumnResult], budget: Budget, figures: Figures) -> None:
    comparison = Comparison(
        budget,
        tuple(column.matched for column in columns),
        tuple(column.evaluation for column in columns),
    )
    table = comparison.table()
    st.markdown("##### Table")
    st.dataframe(table, hide_index=True, column_config=column_config(table))
    download_row(
        "comparison",
        {
            "Table as CSV": ("csv", "text/csv", table.to_csv(index=False)),
            "Comparison as JSON": (
                "json",
                "application/json",
                json.dumps(comparison.to_dict(), indent=1),
            ),
            "Figures as HTML": ("html", "text/html", lambda: html_page("Comparison", figures)),
        },
    )
