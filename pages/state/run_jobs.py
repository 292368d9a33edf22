"""Retraining runs as jobs of the server: they outlive the page, and wait for each other fairly.

A run subscribes for itself and not for its visitor, so that it goes on when the visitor looks at
another page, reloads, or closes the browser. After each step it passes the turn on to whatever
waits, such as the slider of another visitor.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress

import streamlit as st

from pages.state.session import session
from pages.state.visitor import jobs
from pruning.engine.run_checkpoint import runs_folder
from pruning.models.cards import Card
from pruning.recipe.recipe import RUN_NAME
from pruning.runtime.errors import Cancelled
from pruning.runtime.jobs import Job
from pruning.training.retrain import retrain
from pruning.training.run import RunProgress
from pruning.training.run_files import RunError, RunFiles, RunInfo, read_run
from pruning.training.spec import RunSpec

RUNS = "runs"
"""First part of the subscribers and keys of runs, in the place of a visitor's name."""
MAX_RUNS_OF_VISITOR = 2
MAX_RUNS = 8
"""Runs that may be in training on a server."""
MAX_STORED_RUNS = 300
OWNER_DIGITS = 16
LOCAL = ""
"""Owner of what is started on the machine of the server, by a page or by the command line."""


@st.cache_resource
def _owners() -> dict[str, str]:
    """Owner of each run that this server has begun, by name."""
    return {}


@st.cache_resource
def _cancelled() -> set[str]:
    """Names of the runs that are deleted as soon as they stop."""
    return set()


def current_owner() -> str:
    """Return who the current visitor is for their runs, also after a reload.

    Returns
    -------
    str
        A hash of the visitor's address; empty on the machine of the server itself.
    """
    address = st.context.ip_address
    if address is None:
        return LOCAL
    return hashlib.sha256(address.encode()).hexdigest()[:OWNER_DIGITS]


def may_change(run: RunInfo) -> bool:
    """Return whether the current visitor may pause, continue or delete a run.

    Parameters
    ----------
    run : RunInfo
        Any run.

    Returns
    -------
    bool
        True for their own runs, and on the machine of the server.
    """
    owner = current_owner()
    return owner in (LOCAL, run.owner)


def job_of(name: str) -> Job | None:
    """Return the job of a run that this server trains.

    Parameters
    ----------
    name : str
        Name of the run.

    Returns
    -------
    Job or None
        None if it is not in training here. A job without subscribers is about to stop.
    """
    return jobs().unfinished((RUNS, name))


def runs_in_training() -> list[str]:
    """Return the runs that this server trains, waiting ones included.

    Returns
    -------
    list of str
        Their names.
    """
    subscribers = jobs().subscribers_where(_is_run)
    return [name for _, name in subscribers]


def _is_run(subscriber: tuple[str, str]) -> bool:
    return subscriber[0] == RUNS


def why_refused(spec: RunSpec) -> str:
    """Return why a run cannot be started now.

    Parameters
    ----------
    spec : RunSpec
        The run.

    Returns
    -------
    str
        One sentence; empty if it can be started.
    """
    running = runs_in_training()
    owner = current_owner()
    own = [name for name in running if _owners().get(name) == owner]
    if len(own) >= MAX_RUNS_OF_VISITOR:
        return (
            f"{len(own)} of your runs are in training, which is the limit for one visitor: "
            "wait until one is finished, or pause one."
        )
    if len(running) >= MAX_RUNS:
        return (
            f"{len(running)} runs are in training, which is the limit of this server: "
            "try again later."
        )
    if not RunFiles(spec.name).folder.is_dir() and _stored_runs() >= MAX_STORED_RUNS:
        return (
            f"{MAX_STORED_RUNS} runs are kept on this server, which is its limit: "
            "delete some that are not needed."
        )
    return ""


def _stored_runs() -> int:
    folder = runs_folder()
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sum(1 for name in names if RUN_NAME.fullmatch(name))


def start_run(spec: RunSpec) -> None:
    """Start a run or continue it, in a callback; the page then shows it.

    Parameters
    ----------
    spec : RunSpec
        The run. If it cannot be started, a message says why.
    """
    session.selected_run = spec.name
    files = RunFiles(spec.name)
    if files.is_finished:
        session.message = "A run with exactly these settings is finished: it is shown below."
        return
    if files.folder.is_dir() and not may_change(read_run(spec.name)):
        session.message = "A run with exactly these settings belongs to another visitor."
        return
    if job_of(spec.name) is not None:
        session.message = "A run with exactly these settings is in training: it is shown below."
        return
    refusal = why_refused(spec)
    if refusal:
        session.message = refusal
        return
    owner = current_owner()
    try:
        files.save_spec(spec, owner)  # the page lists the run at once
    except OSError as error:
        reason = (error.strerror or "input/output error").lower()
        session.message = (
            f"The run could not be started: {files.folder} cannot be written ({reason})."
        )
        return
    _owners()[spec.name] = owner

    _cancelled().discard(spec.name)

    def work(report: Callable[[RunProgress], None]) -> Card:
        try:
            return retrain(spec, owner=owner, report=report)
        except Cancelled:
            _delete_if_cancelled(spec.name)
            raise
        finally:
            _cancelled().discard(spec.name)

    key = (RUNS, spec.name)
    jobs().forget(key)  # of a run that was deleted since
    jobs().subscribe(key, key, work)


def pause_run(name: str) -> None:
    """Pause a run, in a callback: it stops at its next step and keeps its finished epochs.

    Parameters
    ----------
    name : str
        Name of the run.
    """
    jobs().unsubscribe((RUNS, name))


def cancel_run(name: str) -> None:
    """Cancel a run, in a callback: it stops at its next step and is deleted.

    Parameters
    ----------
    name : str
        Name of the run.
    """
    _cancelled().add(name)
    pause_run(name)
    _delete_if_cancelled(name)


def _delete_if_cancelled(name: str) -> None:
    """Delete a run that was cancelled; one in training is deleted where it stops."""
    files = RunFiles(name)
    if name in _cancelled() and not files.is_finished:
        with suppress(RunError):
            files.delete()
