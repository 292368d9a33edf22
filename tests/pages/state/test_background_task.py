"""Background work: begun, followed, failed and begun again."""

import time
import uuid
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from pages.state import background_task
from pages.state.background_task import Task
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


def waiting(before: int | None) -> SimpleNamespace:
    return SimpleNamespace(position=before, seconds_left=lambda share: None)


@pytest.mark.parametrize(
    "before, text",
    [
        (None, "25%"),
        (0, "25%"),
        (1, "Waiting: 1 other computation is before this one"),
        (12, "Waiting: 12 other computations are before this one"),
    ],
)
def test_the_queue_is_shown(before, text):
    assert background_task._progress_text(waiting(before), 0.25) == text


@pytest.mark.parametrize("before, seconds", [(None, 1.0), (2, 1.0), (10, 3.0), (400, 4.0)])
def test_a_page_whose_work_waits_long_updates_less_often(before, seconds):
    task = Task("name", "key", lambda report: None, "Begin", interval=1.0)
    assert background_task._interval(task, waiting(before)) == pytest.approx(seconds)


def test_a_page_does_not_wait_for_work_in_the_queue():
    calls = []

    def wait(enough, timeout):
        calls.append(timeout)
        return False

    job = SimpleNamespace(wait=wait, position=3)
    background_task._wait(job, None, None)
    assert calls == [background_task.QUEUE_AFTER_S]
