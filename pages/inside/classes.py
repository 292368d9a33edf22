"""Classes and calibration: where a network errs, and how far its confidence can be trusted."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from pages.inside.networks import Compared
from pages.state.tables import Download, draw_downloads
from pages.state.widgets import CHART
from pruning.data.datasets import DATASETS
from pruning.figures.class_matrix import (
    alt_of_class_accuracy,
    alt_of_confusion,
    class_accuracy_figure,
    confusion_figure,
)
from pruning.figures.html_page import html_page
from pruning.figures.plain_figure import PlainFigure
from pruning.figures.reliability import alt_of_reliability, reliability_diagram
from pruning.inference.predictions import PredictionChange

MAX_CLASSES = 100
"""Confusion matrices of more classes cannot be read."""


def draw_classes(change: PredictionChange, compared: Compared) -> None:
    """Draw the accuracy of each class, the confusion matrices and the calibration.

    Parameters
    ----------
    change : PredictionChange
        Predictions of both networks.
    compared : Compared
        The networks.
    """
    classes = DATASETS[compared.recipes[0].dataset].classes
    st.markdown("## Accuracy of each class")
    before, after = change.before.class_accuracy, change.after.class_accuracy
    class_figure = class_accuracy_figure(before, after, classes, compared.names)
    st.plotly_chart(
        class_figure,
        key="class accuracy",
        alt=alt_of_class_accuracy(before, after, classes),
        **CHART,
    )
    figures = {"Accuracy of each class": class_figure}
    if len(classes) <= MAX_CLASSES:
        figures |= _draw_confusion(change, compared, classes)
    figures["Calibration"] = _draw_calibration(change, compared)
    draw_downloads(
        "classes",
        [
            Download(
                "Figures as HTML",
                "html",
                "text/html",
                partial(html_page, "Classes and calibration", figures),
            )
        ],
    )


def _draw_confusion(
    change: PredictionChange, compared: Compared, classes: Sequence[str]
) -> dict[str, PlainFigure]:
    st.markdown("## Confusion matrices")
    st.caption(
        "Rows are true classes, columns predicted ones. Colours are of the errors only, on a scale "
        "of their own in each matrix; in the difference, red is more errors."
    )
    matrices = {
        compared.names[0].capitalize(): change.before.confusion,
        compared.names[1].capitalize(): change.after.confusion,
        "Difference": change.after.confusion - change.before.confusion,
    }
    figures = {}
    with st.container(key="pictures"):  # one below the other in a narrow window
        columns = st.columns(3)
    for column, (name, confusion) in zip(columns, matrices.items(), strict=True):
        is_difference = name == "Difference"
        figure = confusion_figure(confusion, classes, is_difference=is_difference)
        figures[f"Confusion matrix, {name.lower()}"] = figure
        column.markdown(f"**{name}**")
        column.plotly_chart(
            figure,
            key=f"confusion {name}",
            alt=alt_of_confusion(confusion, classes, is_difference=is_difference),
            **CHART,
        )
    return figures


def _draw_calibration(change: PredictionChange, compared: Compared) -> PlainFigure:
    st.markdown("## Calibration")
    reliabilities = {
        compared.names[0]: change.before.reliability,
        compared.names[1]: change.after.reliability,
    }
    figure = reliability_diagram(reliabilities)
    left, right = st.columns([3, 2], vertical_alignment="center")
    left.plotly_chart(figure, key="reliability", alt=alt_of_reliability(reliabilities), **CHART)
    with right:
        for name, reliability in reliabilities.items():
            st.metric(f"Expected calibration error, {name}", f"{reliability.expected_error:.2%}")
        st.caption(
            "On the dotted line a network is as often right as it is confident; below it, it is "
            "too confident. A larger point stands for more images."
        )
    return figure
