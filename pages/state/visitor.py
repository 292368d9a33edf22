"""The visitor of a session, and the work that is done for them in the background."""

import time
import uuid
from dataclasses import dataclass
from typing import Any

import streamlit as st
from cachetools import LRUCache
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.state.session import session
from pruning.runtime.jobs import Jobs
from pruning.runtime.upload_limits import UPLOADS

ABANDON_AFTER_S = 120.0
"""Work for a browser that was closed ends after this time."""
BACKGROUND_WORK = ("curves", "scan", "plan")
"""Tasks that continue while their visitor looks at another page."""
MAX_SESSIONS = 10_000

Subscriber = tuple[str, str]
"""Visitor and task."""


@dataclass(frozen=True)
class Connection:
    """A visitor's session on the server, and when it last ran a page (`time.monotonic`)."""

    session_id: str
    last_run: float


@st.cache_resource
def jobs() -> Jobs:
    """Return the measurements of all visitors."""
    return Jobs()


@st.cache_resource
def downloads() -> Jobs:
    """Return the downloads of all visitors; they do not share turns with measurements."""
    return Jobs()


@st.cache_resource
def connections() -> LRUCache:
    """Return the connection of each visitor, by name."""
    return LRUCache(MAX_SESSIONS)


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
    connections()[session.visitor] = Connection(_session_id(), time.monotonic())
    return session.visitor, task


def set_active_work(*tasks: str) -> None:
    """Cancel the current visitor's other work, and all work for browsers that were closed.

    Parameters
    ----------
    *tasks : str
        Tasks of this page; those of `BACKGROUND_WORK` continue on every page.
    """
    jobs().unsubscribe_where(is_abandoned)
    visitor, _ = subscriber("")

    def is_other_work(known: Any) -> bool:
        name, task = known
        return name == visitor and task not in (*tasks, *BACKGROUND_WORK)

    jobs().unsubscribe_where(is_other_work)


def set_uploads(*, allowed: bool) -> None:
    """Let the current visitor upload files, or not.

    Parameters
    ----------
    allowed : bool
        Whether the page has an uploader.
    """
    if allowed:
        UPLOADS.open(_session_id())
    else:
        UPLOADS.close(_session_id())


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
    connection = connections().get(known[0])
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
    connection = connections().get(known[0])
    if connection is None or not runtime.exists():
        return False
    return not runtime.get_instance().is_active_session(connection.session_id)
