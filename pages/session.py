"""What a visitor's session is made of: who they are, the work they follow, and the link that carries what they see."""

import gc
import re
import time
import uuid
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

import streamlit as st
from cachetools import LRUCache
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pruning import checkpoints, datasets
from pruning.datasets import DATASETS
from pruning.jobs import Jobs
from pruning.networks import NETWORKS
from pruning.recipe import Recipe
from pruning.registry import Registry

KEEP = {"persist_state": "session"}  # widgets that survive a change of page
CHART = {"config": {"displaylogo": False}}  # of every picture
FIRST = 1_000  # images, for the estimate that a slow network shows first
AWAY = 120.0  # seconds after which work for a browser that was closed ends
LONG = ("bundle", "scan", "plan")  # work that goes on while its visitor looks at another page
VIEW = ("histogram", "mask", "log")  # what is looked at, besides the recipe: carried by the link, too


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
        st.session_state["wanted"] = (urlsplit(st.context.url or "").path.strip("/"), st.query_params.to_dict())
        st.switch_page("app.py")
    settle()
    jobs().let_go(partial(gone, seconds=AWAY))
    mine = jobs().owners(lambda owner: isinstance(owner, tuple) and owner[0] == visitor())
    for owner in mine:
        if owner[1] not in (*wanted, *LONG):
            jobs().leave(owner)


def visitor() -> str:
    name = st.session_state.setdefault("visitor", uuid.uuid4().hex)
    sessions()[name] = get_script_run_ctx().session_id, time.monotonic()
    return name


def gone(owner: tuple, seconds: float = 0.0) -> bool:
    """Whether an owner's browser is not there any more, and was last here so long ago; after a reload it has another name."""
    session, seen = sessions().get(owner[0], (None, 0.0))
    return (runtime.exists() and session is not None and time.monotonic() - seen > seconds
            and not runtime.get_instance().is_active_session(session))


@st.cache_resource
def sessions() -> LRUCache:
    """The server's name for each visitor's session, and when they were last here; of the last ones."""
    return LRUCache(10_000)


def plain(text: str) -> str:
    """Text that may come from a link, as Markdown that shows it and does nothing else."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text[:300])


def choice(label: str, options: list[str], key: str, *, otherwise: int = 0, **more) -> str:
    """A selectbox that keeps its value over pages and links; a value that is no option becomes another."""
    if st.session_state.get(key) not in options:
        st.session_state[key] = options[otherwise]
    return st.selectbox(label, options, key=key, **KEEP, **more)


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


def current() -> Recipe | None:
    """The recipe of the last run; in a new session, or after the browser's Back button, that of the link."""
    if "recipe" not in st.session_state or get_script_run_ctx().is_history_navigation:
        st.session_state["recipe"] = _from_link()
    return st.session_state["recipe"]


def put_link(recipe: Recipe) -> None:
    """Let the address bar say what is shown."""
    view = {name: str(value) for name in VIEW if (value := st.session_state.get(name)) not in (None, False, "all layers")}
    query = view | recipe.to_query()
    if st.query_params.to_dict() != query:
        st.query_params.from_dict(query)


def _from_link() -> Recipe | None:
    """What the address bar asks for; what it gets wrong is said, and the page opens with the defaults."""
    found, query = there(), st.query_params.to_dict()
    if not found:
        st.error("There is no checkpoint: train one with `python -m pruning train lenet5 digits`.")
        return None
    network = "lenet5" if "lenet5" in found else next(iter(found))
    default = Recipe(network=network, dataset=found[network][-1])
    try:
        asked = Recipe.from_query(query, default)
        if "dataset" not in query and asked.dataset not in found.get(asked.network, []):
            asked = replace(asked, dataset=found.get(asked.network, [asked.dataset])[-1])
        if asked.dataset not in found.get(asked.network, []):
            reason = ("is not on this machine" if not datasets.available(asked.dataset)
                      else f"has no checkpoint for {NETWORKS[asked.network].label}")
            raise ValueError(f"{DATASETS[asked.dataset].label} {reason}")
    except ValueError as error:
        st.session_state["message"] = f"The link could not be followed: {plain(str(error))}. This is the default instead."
        asked = default
    show(asked)
    st.session_state.update({name: query[name] for name in ("histogram", "mask") if name in query})
    st.session_state["log"] = query.get("log") == "True"
    return asked


def show(recipe: Recipe) -> None:
    """Let Explore and its widgets show a recipe."""
    st.session_state.update({"recipe": recipe, "network": recipe.network, "dataset": recipe.dataset, "active": len(recipe.earlier),
                             "calibration": recipe.calibration, "seed": recipe.seed})
    show_step(recipe)


def open_on_explore(recipe: Recipe) -> None:
    """In a callback, before the widgets are drawn, which it changes; `follow_opened` then goes there."""
    show(recipe)
    st.session_state["opened"] = recipe


def follow_opened() -> None:
    if recipe := st.session_state.pop("opened", None):
        st.switch_page("pages/explore.py", query_params=recipe.to_query())


def show_step(recipe: Recipe) -> None:
    """Let the widgets of a step say what the recipe's last step does."""
    for name in ("method", "criterion", "measure", "grouping", "scope", "rule"):
        st.session_state[name] = getattr(recipe, name)
    st.session_state["alike"] = "custom" if recipe.scope == "custom" else "global"
    if isinstance(recipe.value, str):
        st.session_state["pattern"] = recipe.value
    st.session_state[layers_key(recipe)] = list(recipe.chosen_layers)
    for name in ("slider shape", "table shape"):  # so that slider and table take the step's values
        st.session_state.pop(name, None)


def layers_key(recipe: Recipe) -> str:
    return f"layers of {recipe.network}, {recipe.method}, {recipe.grouping}"
