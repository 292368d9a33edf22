"""Widgets that keep their value."""

from streamlit.testing.v1 import AppTest


def script() -> None:
    import streamlit as st

    from pages.state.widgets import registry_select, segments, select
    from pruning.methods.units import METHODS

    st.session_state.setdefault("fruit", "stone")
    select("Fruit", ["apple", "pear"], "fruit", default=1)
    segments("Size", ["small", "large"], "size", default=1)
    registry_select("Method", list(METHODS), "method", METHODS)


def test_a_value_that_is_no_option_becomes_the_default():
    at = AppTest.from_function(script).run()
    assert not at.exception
    assert at.selectbox(key="fruit").value == "pear"
    assert at.segmented_control(key="size").value == "large"


def test_names_of_a_registry_are_shown_by_their_labels():
    at = AppTest.from_function(script).run()
    assert at.selectbox(key="method").options[0] == "Weights"
    assert at.selectbox(key="method").value == "weight"


def test_a_choice_stays():
    at = AppTest.from_function(script).run()
    at.selectbox(key="fruit").set_value("apple").run()
    assert at.run().selectbox(key="fruit").value == "apple"
