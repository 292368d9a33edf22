"""The steps of a recipe as cards: add, choose, reorder, remove. With one step there is nothing to see but a button."""

from dataclasses import replace

import streamlit as st

from pages.state.url import show_step
from pruning.methods.criteria import CRITERIA
from pruning.methods.rules import RULES
from pruning.methods.units import METHODS
from pruning.recipe.recipe import (
    STEPS,
    Recipe,
    Step,
    criteria_for,
    max_calibration_images,
    rules_for,
)


def draw(recipe: Recipe) -> int:
    """The cards; which step the widgets below are for."""
    steps = recipe.steps
    active = st.session_state["active"] = min(st.session_state.get("active", 0), len(steps) - 1)
    if len(steps) > 1:
        st.caption("Steps, each applied to what the one above has left. Choose one to change it:")
        for i, step in enumerate(steps):
            with st.container(
                key=f"card-{i}", horizontal=True, vertical_alignment="center", gap=None
            ):
                st.button(
                    f"{i + 1} · {METHODS[step.method].label}, {_amount(step)}",
                    key=f"choose step {i}",
                    on_click=_choose,
                    args=[i],
                    help=f"{CRITERIA[step.criterion].label}, rule {RULES[step.rule].label.lower()}",
                    type="primary" if i == active else "secondary",
                    width="stretch",
                )
                st.button(
                    "",
                    key=f"raise step {i}",
                    icon=":material/arrow_upward:",
                    help="Move up",
                    on_click=_raise,
                    args=[i],
                    type="tertiary",
                    disabled=i == 0,
                )
                st.button(
                    "",
                    key=f"remove step {i}",
                    icon=":material/close:",
                    help="Remove this step",
                    on_click=_remove,
                    args=[i],
                    type="tertiary",
                )
    return active


def add_button(recipe: Recipe) -> None:
    st.button(
        "Add a step",
        icon=":material/add:",
        on_click=_add,
        width="stretch",
        disabled=len(recipe.steps) >= STEPS,
        help="Prune what this leaves once more: for example layers, then filters, then weights.",
    )


def _amount(step: Step) -> str:
    if step.scope == "custom":
        return "per layer"
    return (
        step.value
        if isinstance(step.value, str)
        else (
            f"{100 * step.value:.3g}%" if RULES[step.rule].max_value == 1 else f"{step.value:.3g}"
        )
    )


def moved(recipe: Recipe, network: str, dataset: str) -> Recipe:
    """The same steps for another network: what it does not have is left out, and all its layers take part."""
    steps = []
    for step in recipe.steps:
        criteria = criteria_for(network, step.method)
        if step.criterion not in criteria:
            step = replace(step, criterion=criteria[0], measure="")
        if step.rule not in rules_for(step.method, step.criterion):
            step = replace(step, rule="sparsity", value=0.5, values=())
        if recipe.network != network:
            step = replace(step, layers=None, values=())
        steps.append(step)
    *earlier, last = steps
    fresh = Recipe(
        network,
        dataset,
        seed=recipe.seed,
        calibration=min(recipe.calibration, max_calibration_images(dataset)),
    )
    return fresh.with_steps((*earlier, last))


def _choose(active: int) -> None:
    _put(list(st.session_state["recipe"].steps), active)


def _add() -> None:
    _put([*st.session_state["recipe"].steps, Step()], len(st.session_state["recipe"].steps))


def _raise(i: int) -> None:
    steps = list(st.session_state["recipe"].steps)
    steps[i - 1], steps[i] = steps[i], steps[i - 1]
    _put(steps, i - 1)


def _remove(i: int) -> None:
    steps = [step for j, step in enumerate(st.session_state["recipe"].steps) if j != i]
    _put(steps, min(st.session_state["active"], len(steps) - 1))


def _put(steps: list[Step], active: int) -> None:
    recipe = st.session_state["recipe"].with_steps(tuple(steps))
    st.session_state.update({"recipe": recipe, "active": active})
    show_step(recipe.with_steps(recipe.steps[: active + 1]))
