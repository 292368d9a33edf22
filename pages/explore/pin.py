"""State A, which is held while the page goes on to a state B, and what compares the two."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import streamlit as st

from pages.controls.accuracy_card import comparison_text, value_text
from pages.controls.scoring import draw_scoring, request_scores
from pages.explore.curve import CurvePoints, curve_task
from pages.explore.metrics import accuracy_task, format_count, recovery_task
from pages.state.background_task import Task, draw_task, partial_result, wait_for
from pages.state.messages import describe_error, escape_markdown
from pages.state.session import SessionState, session
from pages.state.url import show_recipe
from pages.state.widgets import persistent
from pruning.data.datasets import DATASETS
from pruning.engine.evaluation import Evaluation
from pruning.engine.prune import prune
from pruning.engine.pruned_network import PrunedNetwork
from pruning.engine.trained_network import check_checkpoint
from pruning.inference.paired_test import paired_test
from pruning.models import NETWORKS
from pruning.recipe.labels import recipe_label
from pruning.recipe.recipe import Recipe
from pruning.runtime.errors import PrunescopeError

ACCURACY_TASK = "accuracy of A"
CURVE_TASK = "curve of A"
SCORES_TASK = "scores of A"
ROLES = {"A": "pinned", "B": "as the sidebar sets it"}
TASKS = (ACCURACY_TASK, CURVE_TASK, SCORES_TASK)


@dataclass(frozen=True)
class Pinned:
    """What is known of state A.

    Parameters
    ----------
    pruned : PrunedNetwork
        The result of its recipe.
    accuracy_task : Task
        Measures its accuracy, after the recovery if the recipe has one.
    evaluation : Evaluation or None
        The result of the task; None while it is measured.
    curve_task : Task or None
        Computes the curve of its recipe, if it has one.
    curve : CurvePoints or None
        The result of the task.
    """

    pruned: PrunedNetwork
    accuracy_task: Task
    evaluation: Evaluation | None
    curve_task: Task | None
    curve: CurvePoints | None

    @property
    def is_known(self) -> bool:
        """Whether everything is known."""
        has_curve = self.curve_task is None or self.curve is not None
        return self.evaluation is not None and has_curve

    @property
    def known_points(self) -> tuple[Sequence[Evaluation], Evaluation | None]:
        """The points of the curve that are known, and the state itself."""
        if self.curve_task is None:
            return (), self.evaluation
        points = self.curve or partial_result(self.curve_task) or ()
        return points, self.evaluation


def unpin_if_missing() -> None:
    """Unpin a state whose run has been deleted since."""
    if session.pinned is None:
        return
    try:
        check_checkpoint(session.pinned)
    except PrunescopeError as error:
        session.pinned = None
        session.message = escape_markdown(f"State A is no longer pinned: {describe_error(error)}.")


def request_scores_of_a() -> Recipe | None:
    """Begin to score state A, if that takes a while.

    Returns
    -------
    Recipe or None
        As of `request_scores`; None if no state is pinned.
    """
    return None if session.pinned is None else request_scores(session.pinned, SCORES_TASK)


def await_pinned() -> Pinned | None:
    """Return what is known of state A; what is not known yet is begun.

    Returns
    -------
    Pinned or None
        None if no state is pinned.
    """
    if session.pinned is None:
        return None
    pruned = prune(session.pinned)
    accuracy = recovery_task(pruned) or accuracy_task(pruned)
    accuracy = replace(
        accuracy,
        name=ACCURACY_TASK,
        label="Measure the accuracy of A",
        subject="The accuracy of A",
    )
    curve = curve_task(pruned.recipe)
    points = None
    if curve is not None:
        curve = replace(
            curve,
            name=CURVE_TASK,
            label="Compute the curve of A",
            subject="The curve of A",
        )
        points = wait_for(curve)
    return Pinned(pruned, accuracy, wait_for(accuracy), curve, points)


def draw_pin_button() -> None:
    """Draw the button that pins what the page shows, if nothing is pinned."""
    if session.pinned is None:
        st.button(
            "Pin",
            icon=":material/keep:",
            on_click=_pin,
            help="Hold this state as A, and compare with it what you choose next.",
        )


def draw_pin(recipe: Recipe, unscored: Recipe | None) -> None:
    """Draw which states are compared, if one is pinned.

    Parameters
    ----------
    recipe : Recipe
        State B, which the page shows.
    unscored : Recipe or None
        The result of `request_scores_of_a`.
    """
    pinned = session.pinned
    if pinned is None:
        return
    has_same_data = (pinned.network, pinned.dataset) == (recipe.network, recipe.dataset)
    with st.container(border=True, key="pin"):
        states, actions = st.columns(2, vertical_alignment="center")
        with states, st.container(gap="xsmall"):
            for name, state in {"A": pinned, "B": recipe}.items():
                text = _state_text(state, with_data=not has_same_data)
                st.markdown(f":gray-badge[{name}] {ROLES[name]}: {text}")
            if pinned == recipe:
                st.caption("B is the same as A: change a control to compare.")
        with actions.container(horizontal=True, vertical_alignment="center"):
            st.button("Swap A and B", icon=":material/swap_horiz:", on_click=_swap)
            st.button("Unpin", icon=":material/keep_off:", on_click=_unpin)
            if pinned.network == recipe.network:
                st.toggle(
                    "Show both",
                    help="Heatmap and mask of A and of B, instead of their difference.",
                    **persistent(SessionState.both.key),
                )
        if unscored is not None:
            st.caption("A is compared as soon as it is scored.")
            draw_scoring(unscored, SCORES_TASK)


def _state_text(recipe: Recipe, *, with_data: bool) -> str:
    label = recipe_label(recipe, with_value=True)
    if not with_data:
        return label
    return f"{NETWORKS[recipe.network].label} on {DATASETS[recipe.dataset].label}: {label}"


def numbers_of_a(pinned: Pinned, evaluation: Evaluation | None) -> tuple[str, ...]:
    """Describe the numbers of A, to be shown in the cards of B.

    Parameters
    ----------
    pinned : Pinned
        State A.
    evaluation : Evaluation or None
        Accuracy of B, as far as it is known; None before its recovery.

    Returns
    -------
    tuple of str
        Accuracy, sparsity, parameters and MACs.
    """
    pruned = pinned.pruned
    return (
        _accuracy_of_a_text(pinned, evaluation),
        f"{pruned.sparsity:.2%}",
        _cost_text(pruned.masked.parameters, pruned.effective.parameters),
        _cost_text(pruned.masked.macs, pruned.effective.macs),
    )


def draw_accuracy_of_a(pinned: Pinned, evaluation: Evaluation) -> None:
    """Draw the accuracy of A below that of B.

    Parameters
    ----------
    pinned : Pinned
        State A.
    evaluation : Evaluation
        Accuracy of B, as far as it is known.
    """
    st.markdown(f":gray-badge[A] {_accuracy_of_a_text(pinned, evaluation)}")


def draw_measurement_of_a(pinned: Pinned) -> None:
    """Draw the progress of the accuracy and of the curve of A while they are measured.

    Parameters
    ----------
    pinned : Pinned
        State A.
    """
    if pinned.evaluation is None:
        st.caption("Accuracy of A:")
        draw_task(pinned.accuracy_task)
    if pinned.curve_task is not None and pinned.curve is None:
        st.caption("Curve of A:")
        draw_task(pinned.curve_task)


def _accuracy_of_a_text(pinned: Pinned, evaluation: Evaluation | None) -> str:
    """Describe the accuracy of A, and B against it."""
    accuracy = pinned.evaluation
    if accuracy is None:
        return "not measured" if pinned.accuracy_task.is_stopped else "is being measured"
    text = value_text(accuracy.accuracy)
    if evaluation is not None and evaluation.recipe.dataset != accuracy.recipe.dataset:
        return f"{text} (of other test images)"
    if evaluation is None or not _can_be_paired(accuracy, evaluation):
        return text
    test = paired_test(accuracy.tally, evaluation.tally)
    return text if test is None else f"{text}. B: {comparison_text(test, 'A')}"


def _can_be_paired(first: Evaluation, second: Evaluation) -> bool:
    return first.accuracy.complete and second.accuracy.complete


def _cost_text(masked: int, effective: int) -> str:
    return f"{format_count(masked)}, effective {format_count(effective)}"


def _pin() -> None:
    session.pinned = session.recipe


def _unpin() -> None:
    session.pinned = None


def _swap() -> None:
    """Show A and hold B, in a callback."""
    recipe, pinned = session.recipe, session.pinned
    assert recipe is not None and pinned is not None
    session.pinned = recipe
    show_recipe(pinned)
