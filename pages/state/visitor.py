"""The visitor of a session, and the work that is done for them in the background."""

import threading
import time
import uuid
from dataclasses import dataclass
from typing import Any

import streamlit as st
from cachetools import LRUCache
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.state.session import session
from pruning.runtime.connection_limits import BROWSER_COOKIE, browser_name
from pruning.runtime.jobs import Jobs
from pruning.runtime.upload_limits import UPLOADS

ABANDON_AFTER_S = 120.0
"""Work for a browser that was closed ends after this time."""
BACKGROUND_WORK = ("curves", "scan", "plan", "card")
"""Tasks that continue while their visitor looks at another page."""
MAX_SESSIONS = 10_000
MAX_FILES = 3
"""Files of networks that are kept until they are downloaded."""
MAX_PAGES_OF_BROWSER = 10

_LOCK = threading.Lock()
"""Of the caches of this module, which several threads change."""

Subscriber = tuple[str, str]
"""Visitor and task."""


@dataclass(frozen=True)
class Connection:
    """A visitor's session on the server.

    Parameters
    ----------
    session_id : str
        Streamlit's.
    last_run : float
        When it last ran a page, `time.monotonic`.
    browser : str
        Name of its browser; empty if it sends no cookie.
    """

    session_id: str
    last_run: float
    browser: str = ""


@st.cache_resource
def jobs() -> Jobs:
    """Return the measurements of all visitors."""
    return Jobs(accounts=_accounts)


def _accounts(known: Any) -> tuple[str, str]:
    """Return the visitor of a subscriber, and the browser or else the visitor again."""
    visitor, _ = known
    connection = _connection_of(visitor)
    if connection is None or not connection.browser:
        return visitor, visitor
    return visitor, connection.browser


@st.cache_resource
def downloads() -> Jobs:
    """Return the downloads of all visitors; they do not share turns with measurements."""
    return Jobs()


@st.cache_resource
def processes() -> Jobs:
    """Return the work of other processes, one at a time; few of its results are kept."""
    return Jobs(max_results=MAX_FILES, accounts=_accounts)


@st.cache_resource
def connections() -> LRUCache:
    """Return the connection of each visitor, by name."""
    return LRUCache(MAX_SESSIONS)


@st.cache_resource
def _pages_of_browsers() -> LRUCache:
    """Return the sessions of each browser, in the order in which they came."""
    return LRUCache(MAX_SESSIONS)


def _connection_of(visitor: str) -> Connection | None:
    with _LOCK:
        return connections().get(visitor)


def has_too_many_pages() -> bool:
    """Return whether the most pages were open in the visitor's browser when this one came.

    Returns
    -------
    bool
        False for a browser without cookies: a class may have one address.
    """
    browser = browser_of_visitor()
    if not browser:
        return False
    this_page = _session_id()
    with _LOCK:
        pages = _pages_of_browsers().setdefault(browser, {})
        pages[this_page] = None  # keeps its place if it has one
        if len(pages) <= MAX_PAGES_OF_BROWSER:
            return False
        for page in list(pages):
            if not _is_connected(page):
                del pages[page]
        return this_page in list(pages)[MAX_PAGES_OF_BROWSER:]


def subscriber(task: str) -> Subscriber:
    """Return who subscribes to the work of a task for the current visitor.

    Parameters
    ----------
    task : str
        Name of the task.

    Returns
    -------
    tuple of str
        Visitor and task.
    """
    if not session.visitor:
        session.visitor = uuid.uuid4().hex
    connection = Connection(_session_id(), time.monotonic(), browser_of_visitor())
    with _LOCK:
        connections()[session.visitor] = connection
    return session.visitor, task


def set_active_work(*tasks: str) -> None:
    """Cancel the current visitor's other work, and all work for browsers that were closed.

    Parameters
    ----------
    *tasks : str
        Tasks of this page; those of `BACKGROUND_WORK` continue on every page.
    """
    for queue in (jobs(), processes()):
        queue.unsubscribe_where(is_abandoned)
    visitor, _ = subscriber("")

    def is_other_work(known: Any) -> bool:
        name, task = known
        return name == visitor and task not in (*tasks, *BACKGROUND_WORK)

    for queue in (jobs(), processes()):
        queue.unsubscribe_where(is_other_work)


def set_uploads(max_bytes: int) -> None:
    """Let the current visitor upload files, or not.

    Parameters
    ----------
    max_bytes : int
        Bytes of the files of the page at a time; 0 if it has no uploader.
    """
    if max_bytes:
        UPLOADS.open(_session_id(), max_bytes)
    else:
        UPLOADS.close(_session_id())
        if runtime.exists():  # files of a page that the visitor has left
            runtime.get_instance().uploaded_file_mgr.remove_session_files(_session_id())


def forget_upload(upload: Any) -> None:
    """Delete an uploaded file that has been read; Streamlit itself keeps it with the session.

    Parameters
    ----------
    upload : UploadedFile
        A file of the current visitor.
    """
    if runtime.exists():
        runtime.get_instance().uploaded_file_mgr.remove_file(_session_id(), upload.file_id)


def browser_of_visitor() -> str:
    """Return the browser of the current visitor.

    Returns
    -------
    str
        A short name; empty for one without cookies.
    """
    cookie = st.context.cookies.get(BROWSER_COOKIE, "")
    return browser_name(cookie) if isinstance(cookie, str) else ""  # a mock without a server


def _session_id() -> str:
    context = get_script_run_ctx()
    assert context is not None
    return context.session_id


def is_abandoned(known: Any) -> bool:
    """Return whether a subscriber's browser was closed some time ago.

    Parameters
    ----------
    known : tuple of str
        A `Subscriber`.

    Returns
    -------
    bool
        False during the first two minutes: the page may be loading again.
    """
    connection = _connection_of(known[0])
    if connection is None or time.monotonic() - connection.last_run <= ABANDON_AFTER_S:
        return False
    return is_disconnected(known)


def is_disconnected(known: Any) -> bool:
    """Return whether a subscriber's browser is not connected; after a reload it has another name.

    Parameters
    ----------
    known : tuple of str
        A `Subscriber`.

    Returns
    -------
    bool
        False for a visitor that the server has no record of.
    """
    connection = _connection_of(known[0])
    return connection is not None and not _is_connected(connection.session_id)


def _is_connected(session_id: str) -> bool:
    return not runtime.exists() or runtime.get_instance().is_active_session(session_id)
