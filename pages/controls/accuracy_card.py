"""The card of a test accuracy: its change, and whether there is evidence of one."""

import streamlit as st

from pages.state.widgets import DEFINITION, NEUTRAL_DELTA
from pruning.engine.evaluation import Evaluation
from pruning.inference.accuracy import Accuracy
from pruning.inference.paired_test import PairedTest

LEAST_P = 0.001
"""Smaller p-values are not written out."""


def draw_accuracy_card(evaluation: Evaluation, label: str = "Test accuracy") -> None:
    """Draw an accuracy with its change against the network before pruning.

    The change has a colour only if the paired test shows evidence of one. An estimate is not
    compared: the first images may be easier than all.

    Parameters
    ----------
    evaluation : Evaluation
        Of all test images, or of the first ones.
    label : str
        Heading of the card.
    """
    accuracy, test = evaluation.accuracy, evaluation.change
    start = start_name(evaluation)
    options = {} if test is not None and test.is_significant else NEUTRAL_DELTA
    if test is None or not accuracy.complete:
        change, options = f"{start}: {evaluation.dense_accuracy:.2%}", NEUTRAL_DELTA
    elif test.is_significant:
        points = 100 * test.difference / accuracy.images
        change = f"{points:+.2f} points against {start}"
    else:
        change = _count_text(test, start)
    st.metric(
        label, value_text(accuracy), change, help=f"{_help_text(evaluation)}{DEFINITION}", **options
    )
    if accuracy.complete:
        st.caption("" if test is None else _evidence_text(test))
    else:
        low, high = accuracy.interval
        st.caption(f"95% interval {low:.1%} to {high:.1%}")


def start_name(evaluation: Evaluation) -> str:
    """Name the network before pruning.

    Parameters
    ----------
    evaluation : Evaluation
        Of a recipe.

    Returns
    -------
    str
        ``"dense"``, or ``"the run"`` for a retrained network.
    """
    return "the run" if evaluation.recipe.checkpoint else "dense"


def value_text(accuracy: Accuracy) -> str:
    """Format an accuracy.

    Parameters
    ----------
    accuracy : Accuracy
        Any accuracy.

    Returns
    -------
    str
        Marked if it is an estimate.
    """
    value = f"{accuracy.value:.2%}"
    return value if accuracy.complete else f"≈ {value}"


def interval_text(accuracy: Accuracy) -> str:
    """Describe how an accuracy was measured, and how uncertain it is.

    Parameters
    ----------
    accuracy : Accuracy
        Of all test images, or of the first ones.

    Returns
    -------
    str
        Without a full stop.
    """
    low, high = accuracy.sample_interval
    if accuracy.complete:
        return (
            f"{accuracy.correct:,} of all {accuracy.images:,} test images are classified "
            f"correctly. Taken as a sample of such images: 95% interval {low:.2%} to {high:.2%}"
        )
    return (
        f"Estimate from the first {accuracy.images:,} of {accuracy.total:,} test images, "
        f"95% interval {low:.1%} to {high:.1%}"
    )


def comparison_text(test: PairedTest, start: str) -> str:
    """Describe the difference of two networks on the same images.

    Parameters
    ----------
    test : PairedTest
        The first network against the second one.
    start : str
        Name of the first network.

    Returns
    -------
    str
        Without a full stop.
    """
    if not test.lost and not test.gained:
        return f"correct on the same images as {start}"
    evidence = "" if test.is_significant else "no evidence of a difference, "
    return f"{_count_text(test, start)}, {evidence}{_p_text(test)}"


def _count_text(test: PairedTest, start: str) -> str:
    count = abs(test.difference)
    if not count:
        return f"as many images as {start}"
    images = "1 image" if count == 1 else f"{count:,} images"
    return f"{images} {'fewer' if test.difference < 0 else 'more'} than {start}"


def _evidence_text(test: PairedTest) -> str:
    if not test.lost and not test.gained:
        return "the same images"
    if test.is_significant:
        count = abs(test.difference)
        direction = "fewer" if test.difference < 0 else "more"
        return f"{count:,} images {direction}, {_p_text(test)}"
    return f"no evidence of a difference, {_p_text(test)}"


def _p_text(test: PairedTest) -> str:
    return f"p < {LEAST_P}" if test.p_value < LEAST_P else f"p = {test.p_value:.2g}"


def _help_text(evaluation: Evaluation) -> str:
    start, test = start_name(evaluation), evaluation.change
    text = (
        f"Correct / all images of the test set. {start.capitalize()}: "
        f"{evaluation.dense_accuracy:.2%}. "
    )
    if test is None:
        return text
    return (
        f"{text}Of the images that only one of the two networks classifies correctly, "
        f"{test.lost:,} are lost and {test.gained:,} gained. If pruning changed nothing, each "
        "would be as likely lost as gained: the exact test of McNemar gives "
        f"p = {test.p_value:.2g}. "
        "A change is coloured if p is below 0.05."
    )
