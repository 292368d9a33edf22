"""Explore on a projector: slider, accuracy and one picture in large type, without scrolling."""

from collections.abc import Callable

import streamlit as st

from pages.state.session import SessionState, session
from pages.state.url import show_recipe
from pages.state.widgets import segments
from pruning.methods.rules import RULES
from pruning.recipe.recipe import Recipe

STYLE = """<style>
[data-testid="stSidebar"], [data-testid="stSidebarCollapsedControl"],
[data-testid="stExpandSidebarButton"], [data-testid="stHeader"] { display: none; }
[data-testid="stMainBlockContainer"] { padding: 0.75rem 2rem 0; }
[data-testid="stMetricValue"] { font-size: 3.4rem; line-height: 1.1; }
[data-testid="stMetricLabel"] p { font-size: 1.3rem; }
[data-testid="stMetricDelta"] { font-size: 1.2rem; }
[data-testid="stCaptionContainer"] p { font-size: 1.05rem; }
</style>"""
STEP_KEYS = {"-1%": "Left", "+1%": "Right", "-10%": "Shift+Left", "+10%": "Shift+Right"}
PICTURES = ("Distribution", "Curve", "Heatmap", "Mask")


def draw_present_button() -> None:
    """Draw the button that begins the presentation; the key P does the same."""
    st.button("Present", icon=":material/present_to_all:", shortcut="P", on_click=_set, args=[True])


def draw_presentation(
    recipe: Recipe, draw_accuracy: Callable[[], None], pictures: dict[str, Callable[[], None]]
) -> None:
    """Draw the presentation of a recipe.

    Parameters
    ----------
    recipe : Recipe
        The recipe that is shown.
    draw_accuracy : callable
        Draws the accuracy, or what there is of it.
    pictures : dict of str to callable
        Draws each of ``PICTURES``, of which one is shown.
    """
    st.html(STYLE)
    numbers, picture = st.columns([2, 5])
    with numbers:
        draw_accuracy()
        _draw_step_buttons(recipe)
    with picture:
        name = segments(
            "Picture", list(PICTURES), SessionState.picture.key, label_visibility="collapsed"
        )
        pictures[name]()


def _draw_step_buttons(recipe: Recipe) -> None:
    step = recipe.last_step
    rule = RULES[step.rule]
    if rule.max_value != 1 or step.scope == "custom":
        st.caption("Choose the rule *Sparsity* to move it with the arrow keys.")
    else:
        st.metric(rule.label, f"{float(step.value):.1%}")
        columns = st.columns(2)
        for index, (label, key) in enumerate(STEP_KEYS.items()):
            change = float(label.rstrip("%")) / 100
            columns[index % 2].button(
                label, shortcut=key, on_click=_move, args=[change], width="stretch"
            )
    st.button("Leave", shortcut="Esc", on_click=_set, args=[False])


def _move(change: float) -> None:
    """Move the value, in a callback: from the last one, which may not have been drawn yet."""
    recipe = session.recipe
    assert recipe is not None
    rule = RULES[recipe.last_step.rule]
    value = float(recipe.last_step.value) + change
    value = min(rule.max_value, max(rule.min_value, round(value, 6)))
    show_recipe(recipe.with_last_step(value=value))


def _set(presenting: bool) -> None:
    session.presenting = presenting
