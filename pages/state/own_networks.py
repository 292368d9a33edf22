"""The networks and data that the current visitor has uploaded."""

import threading
import time
from contextlib import suppress

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.state.run_jobs import LOCAL, cancel_run, job_of
from pages.state.session import SessionState, session
from pages.state.visitor import browser_of_visitor, subscriber
from pruning.data.datasets import DATASETS
from pruning.models import NETWORKS
from pruning.models.checkpoints import fits_own
from pruning.recipe.recipe import Recipe
from pruning.runtime.own_uploads import MAX_AGE_S, OwnUploads, Upload
from pruning.runtime.registry import Registry
from pruning.training.run_files import RunError, RunFiles, RunInfo, list_runs

NETWORK, DATASET = "network", "dataset"
OWN_REGISTRIES: dict[str, Registry] = {NETWORK: NETWORKS, DATASET: DATASETS}
EXPIRE_EVERY_S = 60.0
DELETED = (
    "A network or images that you have uploaded were deleted, or their time is over: the page "
    "shows its default. Upload them again on the page Your network."
)
_RECIPES = (SessionState.recipe, SessionState.opened_recipe, SessionState.pinned)
_LISTS_OF_RECIPES = (SessionState.comparison, SessionState.curve_recipes)


@st.cache_resource
def own_uploads() -> OwnUploads:
    """Return the uploads of all visitors."""
    return OwnUploads(_discard)


def owner_of_uploads() -> str:
    """Return who the current visitor is for their uploads.

    Returns
    -------
    str
        The browser, so that a reload changes nothing; the session for one without cookies; empty
        where no page runs.
    """
    if get_script_run_ctx(suppress_warning=True) is None:
        return ""
    visitor, _ = subscriber("")
    return browser_of_visitor() or visitor


def own_names(kind: str) -> list[str]:
    """Return what the current visitor has uploaded.

    Parameters
    ----------
    kind : str
        ``"network"`` or ``"dataset"``.

    Returns
    -------
    list of str
        Names in the registry of the kind.
    """
    uploads = own_uploads().of(owner_of_uploads())
    return [upload.name for upload in uploads if upload.kind == kind]


def free_label(kind: str, label: str, owner: str, *taken: str) -> str:
    """Return a label that no other entry which a visitor sees has: widgets tell them by it.

    Parameters
    ----------
    kind : str
        ``"network"`` or ``"dataset"``.
    label : str
        The label that is asked for.
    owner : str
        The visitor.
    *taken : str
        Other labels of the same widget.

    Returns
    -------
    str
        The label, with a number if it is taken.
    """
    labels = {entry.label for entry in OWN_REGISTRIES[kind].values()} | set(taken)
    labels.update(upload.label for upload in own_uploads().of(owner))
    number, free = 2, label
    while free in labels:
        free = f"{label} ({number})"
        number += 1
    return free


def own_pairs() -> list[tuple[str, str]]:
    """Return the pairs of network and dataset of which one is the current visitor's.

    Returns
    -------
    list of (str, str)
        A network and a dataset whose images it accepts.
    """
    networks, datasets = own_names(NETWORK), own_names(DATASET)
    listed = [name for name in NETWORKS if NETWORKS[name].own is not None]
    pairs = []
    for network in (*listed, *networks):
        for dataset in (*DATASETS, *datasets):
            is_own = network in networks or dataset in datasets
            if is_own and fits_own(network, dataset):
                pairs.append((network, dataset))
    return pairs


def is_visible(kind: str, name: str) -> bool:
    """Return whether the current visitor may see a network or a dataset.

    Parameters
    ----------
    kind : str
        ``"network"`` or ``"dataset"``.
    name : str
        Any name.

    Returns
    -------
    bool
        True for what the application offers to everybody, and for their own uploads.
    """
    return name in list(OWN_REGISTRIES[kind]) or name in own_names(kind)


def visible_runs() -> list[RunInfo]:
    """Return the runs that the current visitor may see.

    Returns
    -------
    list of RunInfo
        Newest first, without those of networks and data that belong to others.
    """
    return [run for run in list_runs() if _is_run_visible(run)]


def _is_run_visible(run: RunInfo) -> bool:
    if run.spec is None:
        return run.state != "unavailable"
    return _is_recipe_visible(run.spec.recipe)


def _is_recipe_visible(recipe: Recipe) -> bool:
    return is_visible(NETWORK, recipe.network) and is_visible(DATASET, recipe.dataset)


def forget_expired() -> None:
    """Delete the uploads whose time is over, and what the session shows of them."""
    _expire_sometimes()
    own_uploads().touch(owner_of_uploads())
    for field in _RECIPES:
        recipe = getattr(session, field.key) if field.is_set() else None
        if recipe is not None and not _is_recipe_visible(recipe):
            delattr(session, field.key)
            session.visited = []
            session.message = DELETED
    for field in _LISTS_OF_RECIPES:
        recipes = getattr(session, field.key) if field.is_set() else []
        if not all(map(_is_recipe_visible, recipes)):
            delattr(session, field.key)


@st.cache_resource
def _last_expiry() -> list[float]:
    return [0.0]


_EXPIRY_LOCK = threading.Lock()


def _expire_sometimes() -> None:
    with _EXPIRY_LOCK:
        last = _last_expiry()
        if time.monotonic() - last[0] < EXPIRE_EVERY_S:
            return
        last[0] = time.monotonic()
    own_uploads().expire()
    _delete_runs_of_lost_uploads()


def _discard(upload: Upload) -> None:
    """Remove an upload that no visitor has any more, with its runs."""
    for run in list_runs():
        recipe = None if run.spec is None else run.spec.recipe
        if recipe is not None and upload.name in (recipe.network, recipe.dataset):
            _delete_run(run)
    OWN_REGISTRIES[upload.kind].discard(upload.name)


def _delete_run(run: RunInfo) -> None:
    if job_of(run.name) is not None:  # in training, or waiting for its turn
        cancel_run(run.name)
        return
    with suppress(RunError):
        RunFiles(run.name).delete()


def _delete_runs_of_lost_uploads() -> None:
    """Delete visitors' runs of uploads that a server before this one has kept."""
    for run in list_runs():
        is_old = time.time() - run.created > MAX_AGE_S
        if run.state == "unavailable" and run.owner != LOCAL and is_old:
            _delete_run(run)
