"""Inside: what pruning does to a network, image by image and unit by unit."""

import streamlit as st

from pages.controls import scoring
from pages.controls.accuracy_card import comparison_text, value_text
from pages.controls.amount import draw_summary
from pages.controls.debounce import debounce
from pages.controls.scoring import cancel_scoring, draw_scoring, request_scores
from pages.controls.sidebar import after_active_step, score_and_draw_sidebar
from pages.inside import networks
from pages.inside.classes import draw_classes
from pages.inside.forgotten import draw_forgotten
from pages.inside.networks import (
    Compared,
    await_predictions,
    choose_networks,
    predictions_task,
    start_predictions,
)
from pages.inside.one_image import await_and_draw_one_image
from pages.inside.units import await_and_draw_units
from pages.state.background_task import draw_task
from pages.state.messages import SMALL_FILES, render_page, show_pending_message
from pages.state.session import SessionState
from pages.state.url import INSIDE_VIEW, SECTIONS
from pages.state.visitor import set_active_work
from pages.state.widgets import DEFINITION, NEUTRAL_DELTA, segments
from pruning.engine.prune import prune
from pruning.experiments.predictions import PredictionSet
from pruning.inference.accuracy import Accuracy
from pruning.inference.paired_test import PairedTest
from pruning.inference.predictions import PredictionChange

TASKS = (
    networks.PREDICTIONS_TASK,
    networks.NETWORKS_TASK,
    networks.ACTIVITY_TASK,
    scoring.TASK,
)
PURPOSE = (
    "See what pruning does to a network: for which images its prediction changes, what its filters "
    "and units still compute, and what it predicts for a digit that you draw."
)


def page() -> None:
    """Draw the page."""
    set_active_work(*TASKS)
    sidebar = score_and_draw_sidebar(INSIDE_VIEW)
    unscored = None
    if sidebar is not None:
        unscored = sidebar.unscored or request_scores(sidebar.recipe)
    st.title("Inside")
    st.caption(PURPOSE)
    show_pending_message()
    if sidebar is None:
        return
    if unscored is not None:
        draw_scoring(unscored)
        return
    cancel_scoring()
    debounce()
    pruned = prune(sidebar.recipe)
    with sidebar.summary_slot:
        draw_summary(after_active_step(pruned, sidebar))
    _await_and_draw(choose_networks(sidebar.recipe))


def _await_and_draw(compared: Compared) -> None:
    numbers = st.container(key="numbers")
    section = segments(
        "Part",
        list(SECTIONS),
        SessionState.section.key,
        format_func=SECTIONS.get,
        label_visibility="collapsed",
    )
    start_predictions(compared)
    if section == "image":  # needs no predictions of the test images
        await_and_draw_one_image(compared)
    elif section == "units":
        await_and_draw_units(compared)
    known = await_predictions(compared)
    with numbers:
        if known is not None:
            _draw_numbers(compared, known)
        if known is None or not known.predictions[0].is_complete:
            draw_task(predictions_task(compared))
    if section in ("image", "units"):
        return
    if known is None:
        st.caption("The images are shown here as soon as the first ones are classified.")
    elif section == "forgotten":
        draw_forgotten(compared, known)
    else:
        draw_classes(compared.change(known.predictions), compared)


def _draw_numbers(compared: Compared, known: PredictionSet) -> None:
    change = compared.change(known.predictions)
    columns = st.columns(3 if compared.repaired is None else 4)
    with columns[0]:
        _draw_accuracy(change, compared)
    with columns[1]:
        _draw_changes(change)
    with columns[2]:
        _draw_calibration_error(change)
    if compared.repaired is not None:
        with columns[3]:
            _draw_return(compared, known)
    if not change.before.is_complete:
        st.caption(
            f"Estimates from the first {len(change.before):,} of {change.before.total:,} test "
            "images, in everything that is shown here."
        )


def _draw_accuracy(change: PredictionChange, compared: Compared) -> None:
    test = PairedTest(int(change.lost.sum()), int(change.gained.sum()))
    start_name, name = compared.names
    before, after = change.before.accuracy, change.after.accuracy
    st.metric(
        f"Test accuracy, {name}",
        value_text(after),
        f"{start_name}: {value_text(before)}",
        **NEUTRAL_DELTA,
        help=f"Correct / classified images.{DEFINITION}",
    )
    low, high = after.sample_interval
    interval = f"95% interval {low:.1%} to {high:.1%}"
    st.caption(comparison_text(test, start_name) if after.complete else interval)


def _draw_changes(change: PredictionChange) -> None:
    lost, gained = int(change.lost.sum()), int(change.gained.sum())
    changed, images = len(change.flipped), len(change.before)
    estimate = Accuracy(changed, images, change.before.total)  # a share, with its interval
    st.metric(
        "Changed predictions",
        f"{changed:,}",
        f"of {images:,} test images",
        **NEUTRAL_DELTA,
        help="Images for which the two networks predict different classes.",
    )
    others = changed - lost - gained
    st.caption(f"{lost:,} lost, {gained:,} gained, {others:,} wrong before and after")
    if not estimate.complete:
        low, high = estimate.interval
        st.caption(f"95% interval {low:.1%} to {high:.1%} of the images")


def _draw_calibration_error(change: PredictionChange) -> None:
    before, after = change.before.reliability, change.after.reliability
    confidence = float(change.after.confidence.mean())
    sign = "" if change.after.is_complete else "\N{ALMOST EQUAL TO} "
    st.metric(
        "Calibration error",
        f"{sign}{after.expected_error:.2%}",
        f"dense: {sign}{before.expected_error:.2%}",
        **NEUTRAL_DELTA,
        help="Expected calibration error: mean of |accuracy - confidence| over 15 bins of the "
        "confidence, weighted by their images (Guo et al. 2017); of few images it is too high."
        f"{DEFINITION}",
    )
    st.caption(f"mean confidence {confidence:.1%}, accuracy {change.after.accuracy.value:.1%}")


def _draw_return(compared: Compared, known: PredictionSet) -> None:
    """Draw how many of the images that pruning lost came back."""
    index = compared.repaired
    assert index is not None
    dense, pruned, repaired = (known.predictions[each] for each in (0, index - 1, index))
    name = compared.stages[index].name
    lost = dense.is_correct & ~pruned.is_correct
    back = int((lost & repaired.is_correct).sum())
    share = f"{back / lost.sum():.0%}" if lost.any() else "none lost"
    st.metric(
        f"Came back, {name}",
        f"{back:,}",
        f"of {int(lost.sum()):,} lost by pruning ({share})",
        **NEUTRAL_DELTA,
        help="Images that the dense network classifies correctly, the network "
        f"\N{LEFT DOUBLE QUOTATION MARK}{compared.stages[index - 1].name}"
        "\N{RIGHT DOUBLE QUOTATION MARK} does not, "
        f"and the {name} one does again.",
    )
    newly = int((pruned.is_correct & ~repaired.is_correct).sum())
    st.caption(f"{newly:,} correct when pruned, and wrong now")


render_page(page, max_upload_bytes=SMALL_FILES)
