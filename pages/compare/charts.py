"""Figures and tables below the columns of a comparison."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pandas as pd
import streamlit as st

from pages.compare.cost_table import cost_task, draw_cost_report
from pages.state.background_task import Task, TaskProgress, draw_task, wait_for
from pages.state.tables import Download, column_config, draw_downloads
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
from pruning.figures.plain_figure import PlainFigure
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
        Its evaluation so far, with the effective cost.
    pruned : PrunedNetwork
        Its network.
    before_recovery : Evaluation or None
        Its evaluation before recovery; None without a recovery.
    """

    recipe: Recipe
    matched: MatchedRecipe
    evaluation: Evaluation
    pruned: PrunedNetwork
    before_recovery: Evaluation | None = None


class Figures(dict[str, PlainFigure]):
    """The figures of a page by title, as they are drawn, for a file."""

    def draw(self, title: str, figure: PlainFigure, alt: str) -> None:
        """Draw a figure and remember it.

        Parameters
        ----------
        title : str
            Heading in the file, and key of the chart.
        figure : PlainFigure
            The figure.
        alt : str
            What it shows, in words.
        """
        self[title] = figure
        st.plotly_chart(figure, key=f"chart, {title}", alt=alt, **CHART)


def await_and_draw_charts(columns: Sequence[ColumnResult], budget: Budget) -> None:
    """Draw figures, cost report and table of a comparison, and wait for the dense network.

    Parameters
    ----------
    columns : sequence of ColumnResult
        One for each column.
    budget : Budget
        What they have in common.
    """
    labels = short_labels([column.recipe for column in columns])
    figures = Figures()
    curves = _curves_task([column.recipe for column in columns])
    points = wait_for(curves)
    with st.container(key="pictures"):
        _draw_estimate_note(columns)
        if points is None:
            draw_task(curves)
        _draw_accuracies(labels, columns, points, figures)
        left, right = st.columns(2)
        with left:
            _draw_layers(labels, columns, figures)
        missing = _missing_for_classes(columns)
        dense = _dense_task(columns[0].recipe)  # after the columns, which it would delay
        evaluation = None if missing else wait_for(dense, DENSE_WAIT_S)
        with right:
            st.markdown("## Change of each class's accuracy")
            if missing:
                st.caption(missing)
            elif evaluation is None:
                draw_task(dense)
            else:
                _draw_classes(labels, columns, evaluation, figures)
        with left:
            _draw_overlap(labels, columns, figures)
    costs = cost_task([column.matched.recipe for column in columns])
    draw_cost_report(labels, costs, wait_for(costs))
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
    labels: Sequence[str],
    columns: Sequence[ColumnResult],
    points: Sequence[Sequence[Evaluation]] | None,
    figures: Figures,
) -> None:
    curves = [()] * len(columns) if points is None else points
    current = [column.evaluation for column in columns]
    for place, (axis, quantity) in zip(st.columns(len(AXES)), AXES.items(), strict=True):
        with place:
            figures.draw(
                f"Accuracy against {quantity.title}",
                accuracy_against(axis, labels, curves, current),
                alt_of_accuracy_against(axis, labels, current),
            )


def _curve_recipe(recipe: Recipe) -> Recipe:
    """The recipe that is the same for all strengths, with one value for all layers."""
    max_images = None
    if NETWORKS[recipe.network].slow:
        max_images = min(FIRST_ESTIMATE_IMAGES, DATASETS[recipe.dataset].test_images)
    recipe = replace(recipe, max_test_images=max_images)
    if recipe.last_step.scope == "custom":
        recipe = recipe.with_last_step(scope="layer", values=())
    return without_value(recipe)


def _curves_task(recipes: Sequence[Recipe]) -> Task:
    curve_recipes = tuple(_curve_recipe(recipe) for recipe in recipes)

    def work(report: Callable[[TaskProgress], None]) -> tuple[tuple[Evaluation, ...], ...]:
        families = [recipes_along_curve(recipe, SPARSITIES) for recipe in curve_recipes]
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
        key=("comparison curves", curve_recipes),
        work=work,
        label="Compute the curves",
        subject="The curves",
    )


def _report_share(
    report: Callable[[TaskProgress], None],
) -> Callable[[EvaluationProgress], None]:
    return lambda progress: report(TaskProgress(progress.share))


def _draw_layers(labels: Sequence[str], columns: Sequence[ColumnResult], figures: Figures) -> None:
    st.markdown("## Sparsity of each layer")
    sparsities = []
    for column in columns:
        table = column.pruned.layer_table
        sparsities.append(dict(zip(table["name"], table["sparsity"], strict=True)))
    figures.draw(
        "Sparsity of each layer",
        layer_sparsity(labels, sparsities),
        alt_of_layer_sparsity(labels, sparsities),
    )


def _missing_for_classes(columns: Sequence[ColumnResult]) -> str:
    """Say what the accuracies of the classes wait for; empty if they are known."""
    total = columns[0].evaluation.total
    if any(column.recipe.max_test_images is not None for column in columns):
        return "All test images are needed."
    if any(column.evaluation.tally.images < total for column in columns):
        return "Shown when all test images have been classified."
    return ""


def _draw_classes(
    labels: Sequence[str], columns: Sequence[ColumnResult], dense: Evaluation, figures: Figures
) -> None:
    changes = []
    for column in columns:
        changes.append(100 * (column.evaluation.class_accuracy() - dense.class_accuracy()))
    figures.draw(
        "Change of each class's accuracy",
        class_change(labels, DATASETS[dense.recipe.dataset].classes, changes),
        alt_of_class_change(labels, changes),
    )


def _dense_task(recipe: Recipe) -> Task:
    dense = Recipe.one_step(recipe.network, recipe.dataset, value=0.0)

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
    st.markdown("## Overlap of the removed weights")
    overlaps = mask_overlaps([column.pruned for column in columns])
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
    st.markdown("## Table")
    st.dataframe(table, hide_index=True, column_config=column_config(table))
    content = json.dumps(comparison.to_dict(), indent=1)

    def page_of_figures() -> str:
        return html_page("Comparison", figures)

    draw_downloads(
        "comparison",
        [
            Download("Table as CSV", "csv", "text/csv", table.to_csv(index=False)),
            Download("Comparison as JSON", "json", "application/json", content),
            Download("Figures as HTML", "html", "text/html", page_of_figures),
        ],
    )
