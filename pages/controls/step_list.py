"""The steps of a recipe as cards: add, choose, reorder, remove. One step needs no card."""

import streamlit as st

from pages.state.session import session
from pages.state.url import show_step
from pruning.methods.criteria import CRITERIA
from pruning.methods.rules import RULES
from pruning.methods.units import METHODS
from pruning.recipe.recipe import MAX_STEPS, Recipe
from pruning.recipe.step import Step


def draw_steps(recipe: Recipe) -> int:
    """Draw a card for each step, if there are several.

    Parameters
    ----------
    recipe : Recipe
        The recipe that the last run of the page showed.

    Returns
    -------
    int
        Index of the step that the form shows.
    """
    session.active_step = min(session.active_step, len(recipe.steps) - 1)
    if len(recipe.steps) > 1:
        st.caption("Steps, each applied to the result of the previous one. Choose one to edit it:")
        for index, step in enumerate(recipe.steps):
            _draw_card(index, step)
    return session.active_step


def draw_add_button(recipe: Recipe) -> None:
    """Draw the button that adds a step.

    Parameters
    ----------
    recipe : Recipe
        The recipe that the last run of the page showed.
    """
    st.button(
        "Add a step",
        icon=":material/add:",
        on_click=_add,
        width="stretch",
        disabled=len(recipe.steps) >= MAX_STEPS,
        help="Prune the result once more: for example layers, then filters, then weights.",
    )


def _draw_card(index: int, step: Step) -> None:
    criterion, rule = CRITERIA[step.criterion].label, RULES[step.rule].label.lower()
    is_active = index == session.active_step
    card = st.container(key=f"card-{index}", horizontal=True, vertical_alignment="center", gap=None)
    card.button(
        f"{index + 1} · {METHODS[step.method].label}, {_amount(step)}",
        key=f"choose step {index}",
        on_click=_choose,
        args=[index],
        help=f"{criterion}, rule {rule}",
        type="primary" if is_active else "secondary",
        width="stretch",
    )
    card.button(
        "",
        key=f"raise step {index}",
        icon=":material/arrow_upward:",
        help="Move up",
        on_click=_raise,
        args=[index],
        type="tertiary",
        disabled=index == 0,
    )
    card.button(
        "",
        key=f"remove step {index}",
        icon=":material/close:",
        help="Remove this step",
        on_click=_remove,
        args=[index],
        type="tertiary",
    )


def _amount(step: Step) -> str:
    if step.scope == "custom":
        return "per layer"
    if isinstance(step.value, str):
        return step.value
    if RULES[step.rule].max_value == 1:
        return f"{100 * step.value:.3g}%"
    return f"{step.value:.3g}"


def _choose(index: int) -> None:
    _show(list(_recipe().steps), index)


def _add() -> None:
    steps = _recipe().steps
    _show([*steps, Step()], len(steps))


def _raise(index: int) -> None:
    steps = list(_recipe().steps)
    steps[index - 1], steps[index] = steps[index], steps[index - 1]
    _show(steps, index - 1)


def _remove(index: int) -> None:
    steps = list(_recipe().steps)
    del steps[index]
    _show(steps, min(session.active_step, len(steps) - 1))


def _recipe() -> Recipe:
    """Return the recipe of the last run; callbacks run before the widgets are drawn."""
    assert session.recipe is not None
    return session.recipe


def _show(steps: list[Step], active: int) -> None:
    recipe = _recipe().with_steps(tuple(steps))
    session.recipe, session.active_step = recipe, active
    show_step(recipe.with_steps(recipe.steps[: active + 1]))
