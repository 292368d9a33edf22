"""Background work: begun, followed, failed and begun again."""

import time
import uuid

from streamlit.testing.v1 import AppTest

from pages.state.messages import UNEXPECTED, escape_markdown


def script(name: str, starts_itself: bool, outcome: str) -> None:
    import streamlit as st

    from pages.state.background_task import Task, TaskProgress, draw_task, wait_for
    from pages.state.messages import show_pending_message

    def work(report):
        report(TaskProgress(0.5, "half"))
        if outcome == "fails":
            raise ValueError("it went wrong")
        return outcome

    show_pending_message()
    task = Task(name, ("test", name), work, "Begin", starts_itself, subject="The work")
    result = wait_for(task, seconds=5.0)
    if result is None:
        draw_task(task)
    else:
        st.markdown(f"result {result}")


def opened(starts_itself: bool, outcome: str) -> AppTest:
    arguments = (uuid.uuid4().hex, starts_itself, outcome)
    return AppTest.from_function(script, default_timeout=20, args=arguments).run()


def texts(at: AppTest) -> list[str]:
    return [element.value for element in at.markdown]


def test_work_that_starts_by_itself_gives_its_result():
    at = opened(True, "done")
    assert not at.exception
    assert texts(at) == ["result done"]


def test_other_work_begins_with_a_click():
    at = opened(False, "done")
    assert texts(at) == [] and at.button[0].label == "Begin"
    at.button[0].click().run()
    deadline = time.time() + 10
    while texts(at) != ["result done"]:
        assert time.time() < deadline
        at.run()


def test_a_failure_is_told_and_the_work_waits_for_a_click():
    at = opened(True, "fails")
    assert not at.exception
    assert [warning.value for warning in at.warning] == [
        f"The work could not be computed: {escape_markdown(UNEXPECTED)}"
    ]
    assert at.button[0].label == "Begin"
