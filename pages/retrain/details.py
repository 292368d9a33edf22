"""One run: its progress, what every epoch measured, and what can be done with it."""

import io
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st

from pages.state.messages import describe_error, escape_markdown, sentence
from pages.state.run_jobs import (
    cancel_run,
    job_of,
    may_change,
    pause_run,
    start_run,
)
from pages.state.session import session
from pages.state.url import open_on_explore
from pages.state.widgets import CHART
from pruning.engine.trained_network import trained_card, trained_network
from pruning.figures.run_film import alt_of_run_film, run_film
from pruning.figures.training_curves import alt_of_training_curves, training_curves
from pruning.recipe.labels import recipe_label
from pruning.runtime.errors import Cancelled, PrunescopeError
from pruning.runtime.jobs import Job
from pruning.runtime.progress import describe_seconds
from pruning.training.record import EpochRecord, weight_deviation
from pruning.training.retrain import recipe_of_run
from pruning.training.run import RunProgress
from pruning.training.run_files import RunFiles, RunInfo
from pruning.training.schedules import SCHEDULES

REFRESH_S = 1.0


def draw_run(run: RunInfo) -> None:
    """Draw a run.

    Parameters
    ----------
    run : RunInfo
        Any run.
    """
    with st.container(border=True, key="run"):
        _draw_heading(run)
        if run.spec is None:
            _draw_actions(run)
            return
        job = job_of(run.name)
        if job is not None:
            st.fragment(_draw_progress, run_every=REFRESH_S)(run, job)
            return
        if run.card is not None:
            _draw_result(run)
        _draw_actions(run)
        _draw_epochs(run, RunFiles(run.name).records())


def _draw_heading(run: RunInfo) -> None:
    st.markdown(f"#### {run.name}")
    if run.spec is not None:
        spec = run.spec
        rounds = f", {spec.rounds} rounds of {spec.epochs} epochs" if spec.rounds > 1 else ""
        st.caption(
            f"{SCHEDULES[spec.schedule].label}{rounds} · "
            f"{escape_markdown(recipe_label(spec.recipe))} · learning rate "
            f"{spec.learning_rate:g}, batch {spec.batch_size}, seed {spec.seed}"
        )
    if run.problem:
        st.error(escape_markdown(run.problem))


def _draw_progress(run: RunInfo, job: Job) -> None:
    """Draw a run in training; called every second."""
    if job.done:
        if job.failed and not isinstance(job.error, Cancelled):
            session.message = escape_markdown(describe_error(job.error))
        st.rerun()
    is_stopping = not job.subscribers
    progress: RunProgress | None = job.progress
    bar, pause, cancel = st.columns([4, 1, 1], vertical_alignment="center")
    if is_stopping:
        bar.progress(0.0 if progress is None else progress.share, "Stopping after this step")
    elif progress is None:
        bar.progress(0.0, "Waiting for its turn")
    else:
        bar.progress(progress.share, _describe_progress(progress, job))
    is_locked = is_stopping or not may_change(run)
    pause.button(
        "Pause",
        key="pause run",
        icon=":material/pause:",
        on_click=pause_run,
        args=[run.name],
        disabled=is_locked,
        width="stretch",
        help="The finished epochs are kept, and the run can be continued.",
    )
    cancel.button(
        "Cancel",
        key="cancel run",
        icon=":material/close:",
        on_click=cancel_run,
        args=[run.name],
        disabled=is_locked,
        width="stretch",
        help="The run is stopped and deleted.",
    )
    if progress is not None:
        _draw_epochs(run, progress.records)


def _describe_progress(progress: RunProgress, job: Job) -> str:
    text = f"Epoch {progress.epoch} of {progress.epochs}, {progress.share:.0%}"
    if progress.loss == progress.loss:  # not NaN: there is a step
        text += f", loss {progress.loss:.4f}"
    seconds = job.seconds_left(progress.share)
    return text if seconds is None else f"{text}, about {describe_seconds(seconds)} left"


def _draw_result(run: RunInfo) -> None:
    assert run.card is not None and run.spec is not None
    card = run.card
    columns = st.columns(4)
    columns[0].metric("Test accuracy", f"{card.test_accuracy:.2%}")
    columns[1].metric("Validation", f"{card.validation_accuracy:.2%}")
    columns[2].metric("Sparsity", f"{run.sparsity:.2%}")
    columns[3].metric("Epochs", card.epochs)
    st.caption(
        f"{card.test_correct:,} of {card.test_images:,} test images, read once at the end"
        f"{_difference(run)}. Training took {describe_seconds(card.seconds)}, {card.precision}."
    )


def _difference(run: RunInfo) -> str:
    """Points above or below the network that the run started from, for the end of a sentence."""
    assert run.card is not None and run.spec is not None
    try:
        start = trained_card(run.spec.recipe)
    except PrunescopeError:
        return ""
    points = 100 * (run.card.test_accuracy - start.test_accuracy)
    return f": {points:+.2f} points from {start.test_accuracy:.2%} before pruning"


def _draw_actions(run: RunInfo) -> None:
    with st.container(horizontal=True):
        if run.card is not None and run.spec is not None:
            st.button(
                "Open on Explore",
                icon=":material/tune:",
                on_click=open_on_explore,
                args=[recipe_of_run(run.spec)],
            )
            st.download_button(
                "Export",
                lambda: _archive(run.name),
                f"{run.name}.zip",
                "application/zip",
                on_click="ignore",
                icon=":material/download:",
            )
        elif run.spec is not None and run.state != "running" and may_change(run):
            st.button(
                "Continue",
                icon=":material/play_arrow:",
                type="primary",
                on_click=start_run,
                args=[run.spec],
            )
        if run.state == "running":
            st.caption("This run is in training in another process.")
        elif may_change(run):
            with st.popover("Delete", icon=":material/delete:"):
                st.markdown("The run and its network are deleted; recipes that start from it fail.")
                st.button("Delete this run", on_click=_delete, args=[run.name])


def _archive(name: str) -> io.BytesIO:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "run.zip"
        RunFiles(name).export(path)
        return io.BytesIO(path.read_bytes())


def _delete(name: str) -> None:
    try:
        RunFiles(name).delete()
    except PrunescopeError as error:
        session.message = escape_markdown(sentence(error))
        return
    session.selected_run = ""


def _draw_epochs(run: RunInfo, records: Sequence[EpochRecord]) -> None:
    """Draw what every finished epoch measured."""
    assert run.spec is not None
    if not records:
        st.caption("The first epoch is not finished.")
        return
    try:
        dense_validation = trained_card(run.spec.recipe).validation_accuracy
        deviation = weight_deviation(trained_network(run.spec.recipe))
    except PrunescopeError as error:
        st.info(escape_markdown(sentence(error)))
        return
    epochs = run.spec.total_epochs if run.card is None else len(records)
    st.plotly_chart(
        training_curves(records, epochs, dense_validation),
        key="training_curves",
        alt=alt_of_training_curves(records),
        **CHART,
    )
    st.caption(
        f"Validation accuracy is of all validation images after the epoch; the dotted line is "
        f"that of the network at the start, {dense_validation:.2%}. Accuracy on training batches "
        "is measured while they are learned from, on augmented images."
    )
    st.plotly_chart(
        run_film(records, deviation), key="run_film", alt=alt_of_run_film(records), **CHART
    )
