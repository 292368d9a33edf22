"""Messages to the visitor: what a link, a file or background work got wrong.

The text of an error is shown only if this project has written it for a reader.
"""

import logging
import re
from collections.abc import Callable, Collection

import streamlit as st

from pages.state.own_networks import forget_expired
from pages.state.session import session
from pages.state.visitor import MAX_PAGES_OF_BROWSER, has_too_many_pages, set_uploads
from pruning.runtime.errors import Cancelled, PrunescopeError
from pruning.runtime.upload_limits import MEGABYTE

SMALL_FILES = 20 * MEGABYTE
"""Limit on the files of a page that takes pictures or recipes, in bytes."""
MAX_MESSAGE = 600
MAX_KEY, MAX_KEYS = 40, 5
"""Characters of a key, and number of keys, that a message names."""
UNEXPECTED = "an unexpected error, which the server has logged"
"""What is said of an error whose text is not for a reader."""
TOO_MANY_PAGES = (
    f"{MAX_PAGES_OF_BROWSER} pages of Prunescope are open in this browser, which is the limit: "
    "close one of them, and reload this page."
)

logger = logging.getLogger(__name__)


def render_page(page: Callable[[], None], *, max_upload_bytes: int = 0) -> None:
    """Run a page; an error that it raises is shown as a sentence.

    What a visitor can get wrong is reported where it is read. A ValueError that comes here may
    be that of another library, so its text is not shown. Other errors are left to Streamlit,
    whose configuration hides their text.

    Parameters
    ----------
    page : callable
        Draws the page.
    max_upload_bytes : int
        Bytes of the files that it takes at a time; the server refuses others.
    """
    if has_too_many_pages():
        st.warning(TOO_MANY_PAGES)
        return
    set_uploads(max_upload_bytes)
    forget_expired()
    try:
        page()
    except Cancelled:
        pass  # a newer run replaces this one
    except PrunescopeError as error:
        st.error(escape_markdown(sentence(error)))
    except ValueError as error:
        st.error(escape_markdown(f"The page could not be drawn: {describe_error(error)}."))


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


def report_bad_link(error: Exception) -> None:
    """Say in the next run what is wrong with a link, and that the page shows its default.

    Parameters
    ----------
    error : Exception
        What the reader of the link has raised.
    """
    problem = escape_markdown(describe_bad_input(error))
    _add_message(f"The link could not be followed: {problem}. This is the default instead.")


def report_unknown_keys(keys: Collection[str], source: str = "link") -> None:
    """Say in the next run that a link or a file has keys without a meaning here.

    Parameters
    ----------
    keys : collection of str
        The keys; nothing is said if there are none.
    source : str
        What has them.
    """
    if keys:
        names = ", ".join(escape_markdown(key[:MAX_KEY]) for key in list(keys)[:MAX_KEYS])
        _add_message(f"The {source} has keys without a meaning here, which are ignored: {names}.")


def report_bad_file(error: Exception) -> None:
    """Say in the next run what is wrong with a file; nothing is changed by it.

    Parameters
    ----------
    error : Exception
        What the reader of the file has raised.
    """
    problem = escape_markdown(describe_bad_input(error))
    _add_message(f"The file could not be read: {problem}.")


def _add_message(text: str) -> None:
    session.message = f"{session.message} {text}" if session.message else text


def describe_bad_input(error: Exception) -> str:
    """Describe what is wrong with a link or a file.

    Readers convert the errors of other libraries, so that a ValueError is theirs.

    Parameters
    ----------
    error : Exception
        What a reader has raised.

    Returns
    -------
    str
        One sentence without a full stop.
    """
    return str(error) if isinstance(error, ValueError) else describe_error(error)


def describe_error(error: BaseException) -> str:
    """Describe an error that a page or background work has raised.

    Parameters
    ----------
    error : BaseException
        Any error.

    Returns
    -------
    str
        One sentence without a full stop: the text of a `PrunescopeError`; a fixed one for all
        other errors, which are logged.
    """
    if isinstance(error, PrunescopeError):
        return str(error)
    logger.error("an unexpected error", exc_info=error)
    return UNEXPECTED


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
    return sentence_of(str(error))


def sentence_of(text: str) -> str:
    """Return a text as a sentence.

    Parameters
    ----------
    text : str
        A clause.

    Returns
    -------
    str
        With a capital letter and a full stop.
    """
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
