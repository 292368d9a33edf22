"""The registry of the live parts of lessons, and what they share."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from pages.state.available import available_checkpoints
from pages.state.background_task import Task, TaskProgress, draw_task, wait_for
from pages.state.session import SessionState, session
from pages.state.widgets import CHART
from pruning.engine.evaluate import EvaluationProgress, evaluate
from pruning.engine.evaluation import Evaluation
from pruning.figures.plain_figure import PlainFigure
from pruning.recipe.recipe import Recipe
from pruning.runtime.progress import ShareReport
from pruning.runtime.registry import Registry

NETWORK = "lenet5"
PATIENCE_S = 2.0
"""Time to wait for a result before its progress is shown."""
TASK = "lesson: "
"""First part of the name of every task of a live part."""

PRESENTED_HEIGHT = 375
"""Height of a figure of a slide in pixels, where the style of the page does not set it."""
PRESENTED_SCALE = 1.4
"""Size of the text in the figures of a slide, relative to that of the page."""

LIVE_PARTS: Registry[Callable[[], None]] = Registry("live part")
"""Functions that draw a live part, by the name in the files of the lessons."""


def live_part(name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register the decorated function as a live part.

    Parameters
    ----------
    name : str
        In the files of the lessons.

    Returns
    -------
    callable
        The decorator.
    """

    def register(function: Callable[[], None]) -> Callable[[], None]:
        LIVE_PARTS.add(name, function)
        return function

    return register


def task_name(part: str) -> str:
    """Return the name of the task of a live part.

    Parameters
    ----------
    part : str
        Name of the live part.

    Returns
    -------
    str
        Name of its task.
    """
    return f"{TASK}{part}"


def key_of(part: str, widget: str) -> str:
    """Return the key of a widget of a live part.

    Parameters
    ----------
    part, widget : str
        Names of both.

    Returns
    -------
    str
        A key of the session.
    """
    return SessionState.live_widgets.of(part, widget)


def dataset_of_lessons() -> str:
    """Return the dataset of the live parts.

    Returns
    -------
    str
        MNIST if it is on this machine, else the built-in digits.
    """
    return available_checkpoints()[NETWORK][-1]


def await_result(
    part: str, key: Sequence[Any], work: Callable[[ShareReport], Any], *, begins: bool = True
) -> Any | None:
    """Return the result of work in the background, or draw its progress.

    Parameters
    ----------
    part : str
        Name of the live part.
    key : sequence of hashable
        What the result depends on.
    work : callable
        ``work(report)`` computes it; the report is called with the share that is done.
    begins : bool
        Whether it begins without a click.

    Returns
    -------
    object or None
        None, and its progress or a button is drawn, if there is no result yet.
    """

    def with_progress(report: Callable[[TaskProgress], None]) -> Any:
        return work(lambda share: report(TaskProgress(share)))

    task = Task(
        name=task_name(part),
        key=(task_name(part), *key),
        work=with_progress,
        label="Compute" if begins else "Measure",
        starts_itself=begins,
        subject="The result",
    )
    result = wait_for(task, PATIENCE_S)
    if result is None:
        draw_task(task)
    return result


def await_evaluations(part: str, recipes: Sequence[Recipe]) -> tuple[Evaluation, ...] | None:
    """Return the evaluations of recipes on the test images, or draw the progress.

    Parameters
    ----------
    part : str
        Name of the live part.
    recipes : sequence of Recipe
        What is evaluated.

    Returns
    -------
    tuple of Evaluation or None
        None if they are not known yet.
    """

    def work(report: ShareReport) -> tuple[Evaluation, ...]:
        def report_share(progress: EvaluationProgress) -> None:
            report(progress.share)

        return evaluate(recipes, report=report_share)

    return await_result(part, recipes, work)


def draw_figure(figure: PlainFigure, part: str, alt: str, name: str = "") -> None:
    """Draw a figure of a live part.

    Parameters
    ----------
    figure : PlainFigure
        The figure.
    part : str
        Name of the live part.
    alt : str
        The figure in words.
    name : str
        Distinguishes several figures of a part.
    """
    key = f"{part} figure {name}"
    if not is_presented():
        st.plotly_chart(figure, key=key, alt=alt, **CHART)
        return
    # The style of the presentation sets the height of the container, in parts of the window.
    with st.container(key=f"presented {key}", height=PRESENTED_HEIGHT, border=False):
        st.plotly_chart(
            figure.enlarged(PRESENTED_SCALE), key=key, alt=alt, height="stretch", **CHART
        )


def is_presented() -> bool:
    """Return whether the lesson is shown as slides, in large type.

    Returns
    -------
    bool
        True in the presentation.
    """
    return bool(session.slide)


def accuracy_text(evaluation: Evaluation) -> str:
    """Format an accuracy with its number of images.

    Parameters
    ----------
    evaluation : Evaluation
        Of test images.

    Returns
    -------
    str
        In percent.
    """
    accuracy = evaluation.accuracy
    return f"{accuracy.value:.2%} of {accuracy.images:,} test images"
