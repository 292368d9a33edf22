"""Messages to the visitor: what a link or background work got wrong."""

import logging
import re
from collections.abc import Callable

import streamlit as st

from pages.state.session import session
from pruning.runtime.errors import Cancelled, PrunescopeError

MAX_MESSAGE = 600

logger = logging.getLogger(__name__)


def render_page(page: Callable[[], None]) -> None:
    """Run a page; an error that it raises is shown as a sentence.

    Parameters
    ----------
    page : callable
        Draws the page.
    """
    try:
        page()
    except Cancelled:
        pass  # a newer run replaces this one
    except PrunescopeError as error:
        st.error(escape_markdown(sentence(error)))
    except ValueError as error:
        logger.warning("a page was not drawn", exc_info=error)
        st.error(escape_markdown(sentence(error)))


def show_pending_message() -> None:
    """Show the message that an earlier run, a link or background work has left."""
    session.shown_message = session.message
    session.message = None
    if session.shown_message:
        st.warning(session.shown_message)


def rerun_keeping_message() -> None:
    """Run the page again because work has ended; the message that it shows stays."""
    session.message = session.message or session.shown_message
    st.rerun()


def report_bad_link(error: ValueError) -> None:
    """Say in the next run what is wrong with a link, and that the page shows its default.

    Parameters
    ----------
    error : ValueError
        Its text is one sentence without a full stop.
    """
    problem = escape_markdown(str(error))
    session.message = f"The link could not be followed: {problem}. This is the default instead."


def report_unknown_keys(keys: list[str]) -> None:
    """Say in the next run that a link has keys without a meaning here.

    Parameters
    ----------
    keys : list of str
        The keys; nothing is said if there are none.
    """
    if keys:
        names = ", ".join(escape_markdown(key[:40]) for key in keys[:5])
        note = f"The link has keys without a meaning here, which are ignored: {names}."
        session.message = f"{session.message} {note}" if session.message else note


def report_bad_file(error: ValueError) -> None:
    """Say in the next run what is wrong with a file; nothing is changed by it.

    Parameters
    ----------
    error : ValueError
        Its text is one sentence without a full stop.
    """
    session.message = f"The file could not be read: {escape_markdown(str(error))}."


def sentence(error: Exception) -> str:
    """Return the text of an error as a sentence.

    Parameters
    ----------
    error : Exception
        Any error with a text.

    Returns
    -------
    str
        With a capital letter and a full stop.
    """
    text = str(error)
    return f"{text[:1].upper()}{text[1:].removesuffix('.')}."


def escape_markdown(text: str) -> str:
    """Escape text that may come from a link, so that Markdown shows it literally.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        At most 600 characters of it.
    """
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text[:MAX_MESSAGE])
