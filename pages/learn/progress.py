"""The list of lessons with what this browser has answered; only the browser stores it."""

from pathlib import Path

import streamlit as st

from pages.learn.lesson_file import lessons
from pages.state.session import session

KEY = "lessons"
ASSETS = Path(__file__).parents[2] / "assets" / "progress"

_component = st.components.v2.component(
    KEY,
    html=(ASSETS / "component.html").read_text(),
    css=(ASSETS / "component.css").read_text(),
    js=(ASSETS / "component.js").read_text(),
)


def draw_progress() -> None:
    """Draw the list of lessons; a click opens one."""
    entries = []
    for lesson in lessons().values():
        entries.append(
            {
                "name": lesson.name,
                "number": lesson.number,
                "title": lesson.title,
                "idea": lesson.idea,
                "questions": len(lesson.questions),
            }
        )
    answers = {}
    for name, results in session.answers.items():
        answers[name] = {str(number): is_right for number, is_right in results.items()}
    data = {
        "lessons": entries,
        "current": session.lesson or "",
        "answers": answers,
        "with_ideas": not session.lesson,
    }
    _component(
        key=KEY,
        data=data,
        on_lesson_change=_open_lesson,
        on_forgotten_change=_forget,
    )


def open_lesson(name: str) -> None:
    """Open a lesson, or with an empty name the list of all, in a callback.

    Parameters
    ----------
    name : str
        Name of a lesson.
    """
    session.lesson = name
    session.slide = 1 if session.slide else 0
    session.printing = False


def _open_lesson() -> None:
    name = st.session_state[KEY].get("lesson")
    if name in lessons():
        open_lesson(name)


def _forget() -> None:
    session.answers = {}
