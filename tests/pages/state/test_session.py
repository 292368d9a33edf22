"""The typed session."""

from streamlit.testing.v1 import AppTest


def script() -> None:
    import streamlit as st

    from pages.state.session import Field, SessionState, session

    assert isinstance(SessionState.visited, Field) and SessionState.visited.key == "visited"
    assert not SessionState.visited.is_set()
    session.visited.append("first")
    assert st.session_state["visited"] == ["first"]
    session.lose = 2.5
    assert st.session_state["lose"] == 2.5
    del session.lose
    assert not SessionState.lose.is_set()
    assert SessionState.lose.default() == 1.0
    assert SessionState.column_widgets.of("id", "method") == "column_widgets, id, method"
    assert session.recipe is None


def test_fields_are_keys_of_the_session_with_defaults():
    at = AppTest.from_function(script).run()
    assert not at.exception


def test_defaults_are_not_shared_by_sessions():
    for _ in range(2):
        assert not AppTest.from_function(script).run().exception
