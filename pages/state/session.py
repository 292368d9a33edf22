"""What a visitor's session is made of: who they are, the work they follow, and what all pages do alike."""

import gc
import logging
import re
import time
import uuid
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

import streamlit as st
from cachetools import LRUCache
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pruning.data import datasets
from pruning.models import checkpoints
from pruning.runtime.errors import Cancelled, PrunescopeError
from pruning.runtime.jobs import Jobs
from pruning.runtime.registry import Registry

CHART = {"config": {"displaylogo": False}}  # of every picture
FIRST = 1_000  # images, for the estimate that a slow network shows first
AWAY = 120.0  # seconds after which work for a browser that was closed ends
LONG = ("bundle", "scan", "plan")  # work that goes on while its visitor looks at another page


@st.cache_resource
def jobs() -> Jobs:
    """Measurements, of all visitors."""
    return Jobs()


@st.cache_resource
def downloads() -> Jobs:
    """Downloads, of all visitors; they do not wait for measurements, nor measurements for them."""
    return Jobs()


@st.cache_resource
def settle() -> None:
    """Take what is imported out of the garbage collector's sight, once.

    Streamlit collects garbage after every run of a page or fragment: over the 300,000 objects of the libraries that is
    half a second in which no other thread of the server can do anything.
    """
    import sklearn.datasets  # noqa: F401 - what pages would import later

    gc.collect()
    gc.freeze()


def only(*wanted: str) -> None:
    """On this page the visitor wants this work and no other: what nobody follows any more ends.

    Until app.py has run once, a new server runs a page of a link by itself, without its frame: then go back to the door.
    """
    if "entered" not in st.session_state:
        st.session_state["wanted"] = (
            urlsplit(st.context.url or "").path.strip("/"),
            st.query_params.to_dict(),
        )
        st.switch_page("app.py")
    settle()
    jobs().unsubscribe_where(partial(gone, seconds=AWAY))
    mine = jobs().subscribers_where(
        lambda owner: isinstance(owner, tuple) and owner[0] == visitor()
    )
    for owner in mine:
        if owner[1] not in (*wanted, *LONG):
            jobs().unsubscribe(owner)


def visitor() -> str:
    name = st.session_state.setdefault("visitor", uuid.uuid4().hex)
    sessions()[name] = get_script_run_ctx().session_id, time.monotonic()
    return name


def gone(owner: tuple, seconds: float = 0.0) -> bool:
    """Whether an owner's browser is not there any more, and was last here so long ago; after a reload it has another name."""
    session, seen = sessions().get(owner[0], (None, 0.0))
    return (
        runtime.exists()
        and session is not None
        and time.monotonic() - seen > seconds
        and not runtime.get_instance().is_active_session(session)
    )


@st.cache_resource
def sessions() -> LRUCache:
    """The server's name for each visitor's session, and when they were last here; of the last ones."""
    return LRUCache(10_000)


def shown(page: Callable[[], None]) -> None:
    """Draw a page; what it cannot do is said in a sentence, and nothing if a newer run takes over."""
    try:
        page()
    except Cancelled:
        pass
    except (PrunescopeError, ValueError) as error:
        if not isinstance(error, PrunescopeError):
            logging.getLogger(__name__).warning("a page was not drawn", exc_info=error)
        st.error(plain(str(error)))


def say() -> None:
    """Show what a link or a piece of work got wrong."""
    st.session_state["said"] = st.session_state.pop("message", None)
    if message := st.session_state["said"]:
        st.warning(message)


def draw_again() -> None:
    """The page anew because work has ended, not because its visitor did something: what it said stays."""
    st.session_state.setdefault("message", st.session_state.get("said"))
    st.rerun()


def plain(text: str) -> str:
    """Text that may come from a link, as Markdown that shows it and does nothing else."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text[:600])


def keep(key: str) -> dict:
    """For a widget that several pages show, or that is to survive a change of page.

    On another page its value is set anew: the browser would begin there with the widget's own default, and send that.
    """
    page = get_script_run_ctx().page_script_hash
    if key in st.session_state and st.session_state.get(f"page of {key}") != page:
        st.session_state[key] = st.session_state[key]
    st.session_state[f"page of {key}"] = page
    return {"key": key, "persist_state": "session"}


def choice(label: str, options: list[str], key: str, *, otherwise: int = 0, **more) -> str:
    """A selectbox that keeps its value over pages and links; a value that is no option becomes another."""
    if st.session_state.get(key) not in options:
        st.session_state[key] = options[otherwise]
    return st.selectbox(label, options, **keep(key), **more)


def segments(label: str, options: list[str], key: str, place=st, **more) -> str:
    """The same as buttons in a row."""
    if st.session_state.get(key) not in options:
        st.session_state[key] = options[0]
    return place.segmented_control(label, options, required=True, **keep(key), **more)


def registered(label: str, options: list[str], key: str, registry: Registry, **more) -> str:
    """The same, of names in a registry."""
    return choice(label, options, key, format_func=lambda name: registry[name].label, **more)


def there() -> dict[str, list[str]]:
    """The networks that can be shown, each with the datasets that are there and that it was trained on."""
    found: dict[str, list[str]] = {}
    for network, dataset in checkpoints.shipped():
        if datasets.available(dataset):
            found.setdefault(network, []).append(dataset)
    return found
