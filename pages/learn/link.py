"""The link of a lesson."""

from functools import partial

from pages.learn.lesson_file import lessons
from pages.state import url
from pages.state.session import SessionState, session
from pages.state.url import is_history_navigation
from pruning.recipe.query import (
    QueryField,
    format_query,
    parse_choice,
    parse_flag,
    parse_int,
)

MAX_SLIDES = 50


def _parse_slide(text: str) -> int:
    slide = parse_int("slide", text)
    if not 0 <= slide <= MAX_SLIDES:
        raise ValueError(f"slide must be a whole number from 0 to {MAX_SLIDES}, not {slide}")
    return slide


def _format_slide(state: SessionState) -> str | None:
    return str(state.slide) if state.slide else None


def _format_printing(state: SessionState) -> str | None:
    return "True" if state.printing else None


def _format_lesson(state: SessionState) -> str | None:
    return state.lesson or None


FIELDS = (
    QueryField("lesson", lambda text: parse_choice("lesson", text, lessons()), _format_lesson),
    QueryField("slide", _parse_slide, _format_slide),
    QueryField("print", partial(parse_flag, "print"), _format_printing),
)


def follow_link() -> None:
    """Follow the link, in a new session or after the browser's Back or Forward button."""
    if session.lesson is not None and not is_history_navigation():
        return
    values = url.read_link(FIELDS)
    session.lesson = values.get("lesson", "")
    session.slide = values.get("slide", 0)
    session.printing = values.get("print", False)


def put_link() -> None:
    """Let the address bar say what is shown."""
    url.set_query(format_query(FIELDS, session))
