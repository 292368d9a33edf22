"""Widgets that keep their value on the way to another page, and names from a registry."""

from collections.abc import Sequence
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.state.session import session
from pruning.runtime.registry import Registry

CHART: dict[str, Any] = {"config": {"displaylogo": False}}
"""Options of every chart."""
NEUTRAL_DELTA: dict[str, Any] = {"delta_color": "off", "delta_arrow": "off"}
"""Options of a metric whose delta is neither good nor bad."""
DEFINITION = " [Definition](about)"
"""End of the help of a number: a link to the page that defines it."""


def persistent(key: str) -> dict[str, Any]:
    """Return the options of a widget that several pages show, or that survives a change of page.

    On another page the value is set again: the browser would begin there with the widget's own
    default, and send that.

    Parameters
    ----------
    key : str
        Key of the widget.

    Returns
    -------
    dict
        Keyword arguments of the widget.
    """
    context = get_script_run_ctx()
    assert context is not None
    page = context.page_script_hash
    if key in st.session_state and session.widget_pages.get(key) != page:
        st.session_state[key] = st.session_state[key]
    session.widget_pages[key] = page
    return {"key": key, "persist_state": "session"}


def select(
    label: str, options: Sequence[str], key: str, *, default: int = 0, **options_of_widget: Any
) -> str:
    """Draw a select box that keeps its value over pages and links.

    Parameters
    ----------
    label : str
        Label of the widget.
    options : sequence of str
        What can be chosen.
    key : str
        Key of the widget.
    default : int
        Index of the option that replaces a value that is not an option.
    **options_of_widget
        Other options of ``st.selectbox``.

    Returns
    -------
    str
        The chosen option.
    """
    if st.session_state.get(key) not in options:
        st.session_state[key] = options[default]
    return st.selectbox(label, options, **persistent(key), **options_of_widget)


def segments(
    label: str,
    options: Sequence[str],
    key: str,
    container: Any = st,
    *,
    default: int = 0,
    **options_of_widget: Any,
) -> str:
    """Draw buttons in a row that keep their value over pages and links.

    Parameters
    ----------
    label : str
        Label of the widget.
    options : sequence of str
        What can be chosen.
    key : str
        Key of the widget.
    container : object
        Where to draw.
    default : int
        Index of the option that replaces a value that is not an option.
    **options_of_widget
        Other options of ``st.segmented_control``.

    Returns
    -------
    str
        The chosen option.
    """
    if st.session_state.get(key) not in options:
        st.session_state[key] = options[default]
    return container.segmented_control(
        label, options, required=True, **persistent(key), **options_of_widget
    )


def registry_select(
    label: str, options: Sequence[str], key: str, registry: Registry, **options_of_widget: Any
) -> str:
    """Draw a select box of names in a registry, shown by their labels.

    Parameters
    ----------
    label : str
        Label of the widget.
    options : sequence of str
        Names in the registry.
    key : str
        Key of the widget.
    registry : Registry
        Its entries have a ``label``.
    **options_of_widget
        Other options of `select`.

    Returns
    -------
    str
        The chosen name.
    """

    def label_of(name: str) -> str:
        return registry[name].label

    return select(label, options, key, format_func=label_of, **options_of_widget)
