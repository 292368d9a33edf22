"""Work in the background: one way to begin it, to follow its progress and to cancel it.

Beginning and drawing are separate: `start` and `wait_for` belong to the logic of a page,
`draw_task` only draws.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Literal

import streamlit as st
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_run_context import ThreadState

from pages.state.messages import describe_error, escape_markdown, rerun_keeping_message
from pages.state.session import session
from pages.state.visitor import downloads, is_disconnected, jobs, processes, subscriber
from pruning.runtime.errors import Cancelled
from pruning.runtime.jobs import Job, Jobs, not_patient

Enough = Callable[[Any, bool], bool]
QUEUE_AFTER_S = 2.0
DEFAULT_INTERVAL_S = 1.0
INTERVAL_IN_QUEUE_S, MAX_INTERVAL_S = 0.3, 4.0
"""Between two updates of waiting work, for each of those before it, and at most."""
LONG_S = 90


@dataclass(frozen=True)
class TaskProgress:
    """Progress that the work of a task reports.

    Parameters
    ----------
    share : float
        Share of the work that is done, from 0 to 1.
    partial : object
        Partial result to show, or None.
    """

    share: float
    partial: Any = None


def _draw_nothing(partial: Any) -> None:
    """Draw nothing of a partial result."""


@dataclass(frozen=True)
class Task:
    """Work in the background.

    Parameters
    ----------
    name : str
        Name of the task; a visitor follows at most one job of each name.
    key : hashable
        Key of the work: it is done once for all visitors who ask for it.
    work : callable
        ``work(report)`` calls ``report(TaskProgress(...))`` often and returns the result.
    label : str
        Label of the button that begins the work.
    starts_itself : bool
        Whether the work begins without a click, unless it was cancelled or has failed.
    draw_partial : callable
        Draws a partial result.
    draw_result : callable, optional
        Draws the result in the place of the progress; by default the page runs again.
    first_partial : object
        Partial result to draw while there is none; nothing is drawn by default.
    interval : float
        Seconds between two updates of the progress.
    subject : str
        Subject of the message about a failure, such as "The curve".
    done : str
        What the work does with the subject, as a participle.
    bar_first : bool
        Whether the progress bar stands above the partial result.
    icon : str
        Icon of the button.
    progress_text : str
        Text on the progress bar; by default the share of the work that is done and the time left.
    shared : bool
        Whether the work belongs to all visitors, such as a download: it does not wait for
        measurements, everyone sees its progress, and nobody can cancel it. A failure is shown
        below the button to the visitor who began it. Shared work begins with a click.
    in_process : bool
        Whether another process does the work: it does not wait for measurements.
    patience : callable
        ``patience(progress)`` gives the greatest age of the work, in seconds, at which other work
        goes first; the progress is None at first.
    """

    name: str
    key: Hashable
    work: Callable[[Callable[[TaskProgress], None]], Any]
    label: str
    starts_itself: bool = False
    draw_partial: Callable[[Any], None] = _draw_nothing
    draw_result: Callable[[Any], None] | None = None
    first_partial: Any = None
    interval: float = DEFAULT_INTERVAL_S
    subject: str = "The result"
    done: str = "computed"
    bar_first: bool = True
    icon: str = ":material/play_arrow:"
    progress_text: str = ""
    shared: bool = False
    in_process: bool = False
    patience: Callable[[TaskProgress | None], float] = not_patient

    @property
    def is_stopped(self) -> bool:
        """Whether this work was cancelled by its visitor, or has failed."""
        return session.stopped_tasks.get(self.name) == self.key

    @property
    def queue(self) -> Jobs:
        """The jobs among which the work is done."""
        if self.shared:
            return downloads()
        return processes() if self.in_process else jobs()

    @property
    def subscriber(self) -> Hashable:
        """Who waits for the work: the current visitor, or all of them together."""
        return self.name if self.shared else subscriber(self.name)


def start(task: Task) -> Job | None:
    """Begin the work of a task that starts by itself, or continue to follow it.

    Parameters
    ----------
    task : Task
        The task.

    Returns
    -------
    Job or None
        None if the work has to be begun by a click.
    """
    if task.is_stopped:
        return None
    job = _followed_job(task)
    if job is not None and _has_failed(job):  # the work failed while another page was shown
        _rerun_after(task, job)
    if task.starts_itself:
        return _follow(task)
    if job is None:  # the last work was for other choices
        task.queue.unsubscribe(task.subscriber)
        return None
    if job.done:
        return None if job.failed else job
    return job if task.subscriber in job.subscribers else None


def wait_for(
    task: Task,
    seconds: float | None = 0.0,
    enough: Enough | None = None,
) -> Any | None:
    """Return the result of a task, begun if it starts by itself.

    Parameters
    ----------
    task : Task
        The task.
    seconds : float or None
        Time to wait for a result that is not there yet; None for no limit, but work that is in the
        queue after some seconds is not waited for: `draw_task` says how many are before it.
    enough : callable, optional
        ``enough(partial, must_wait)`` is whether a partial result ends the wait;
        ``must_wait`` is whether other work goes first.

    Returns
    -------
    object or None
        None if the work has not ended, even if ``enough`` ended the wait (see `partial_result`),
        or if it has failed.
    """
    result = task.queue.cached_result(task.key)
    if result is not None:
        _stop_following_other_work(task)
        return result
    job = start(task)
    if job is None:
        return None
    _wait(job, seconds, enough)
    if not job.done:
        return None
    if not job.failed:
        return job.result
    if _has_failed(job):
        _rerun_after(task, job)
    return None


def _wait(job: Job, seconds: float | None, enough: Enough | None) -> None:
    def is_enough(progress: TaskProgress) -> bool:
        if enough is None or progress.partial is None:
            return False
        return enough(progress.partial, job.must_wait)

    if seconds is not None:
        job.wait(is_enough, timeout=seconds)
        return
    while not job.wait(is_enough, timeout=QUEUE_AFTER_S):
        if job.position:
            return


def draw_task(task: Task, *, width: Literal["content", "stretch"] = "content") -> None:
    """Draw what there is of a task without a result: a button, or its progress.

    Parameters
    ----------
    task : Task
        The task, after `wait_for`; shared work needs no call before.
    width : str
        Width of the button, as of ``st.button``.
    """
    job = _job_in_progress(task)
    if job is not None:
        st.fragment(_draw_progress, run_every=_interval(task, job))(task, job)
        return
    if not task.bar_first:
        _draw_partial(task, partial_result(task))
    st.button(
        task.label,
        key=f"begin {task.name}",
        icon=task.icon,
        on_click=_begin,
        args=[task],
        width=width,
    )
    if task.shared:
        _draw_failure(task)
    if task.bar_first:
        _draw_partial(task, partial_result(task))


def partial_result(task: Task) -> Any | None:
    """Return what is known of a task that has no result yet.

    Parameters
    ----------
    task : Task
        The task.

    Returns
    -------
    object or None
        The partial result of the running work, or of the work before it was cancelled.
    """
    job = _followed_job(task)
    if job is not None and job.progress is not None and job.progress.partial is not None:
        return job.progress.partial
    key, partial = session.partial_results.get(task.name, (None, None))
    return partial if key == task.key else None


def _draw_partial(task: Task, partial: Any | None) -> None:
    shown = task.first_partial if partial is None else partial
    if shown is not None:
        task.draw_partial(shown)


def _followed_job(task: Task) -> Job | None:
    """Return the last job of a task, if it is for the same work."""
    job = session.followed_jobs.get(task.name)
    return job if job is not None and job.key == task.key else None


def _job_in_progress(task: Task) -> Job | None:
    """Return the job whose progress is drawn; a job that has ended is drawn once, to report it."""
    if task.shared:
        return task.queue.subscription(task.subscriber)  # whoever has begun it
    job = None if task.is_stopped else _followed_job(task)
    return job if job is not None and task.subscriber in job.subscribers else None


def _follow(task: Task) -> Job:
    job = task.queue.subscribe(task.subscriber, task.key, task.work, task.patience)
    session.followed_jobs[task.name] = job
    return job


def _stop_following_other_work(task: Task) -> None:
    job = task.queue.subscription(task.subscriber)
    if job is not None and job.key != task.key:
        task.queue.unsubscribe(task.subscriber)


def _has_failed(job: Job) -> bool:
    """Return whether the work of a job has raised an error; a cancelled job has not failed."""
    return job.done and job.failed and not isinstance(job.error, Cancelled)


def _begin(task: Task) -> None:
    """Begin the work after a click."""
    session.stopped_tasks.pop(task.name, None)
    session.partial_results.pop(task.name, None)
    _follow(task)


def _draw_progress(task: Task, job: Job) -> None:
    if job.done and task.draw_result is not None and not job.failed:
        _stop_updates()
        task.draw_result(job.result)
        return
    if job.done:
        _rerun_after(task, job)
    progress = job.progress or TaskProgress(0.0)
    share = min(1.0, progress.share)
    text = task.progress_text or _progress_text(job, progress.share)
    if task.shared:
        st.progress(share, text)
        return
    if not task.bar_first:
        _draw_partial(task, progress.partial)
    bar, stop = st.columns([4, 1], vertical_alignment="center")
    bar.progress(share, text)
    if stop.button("Cancel", key=f"cancel {task.name}", width="stretch"):
        _cancel(task, job)
        st.rerun()
    if task.bar_first:
        _draw_partial(task, progress.partial)


def _stop_updates() -> None:
    """End the updates of the current fragment; Streamlit itself ends those of nested ones only."""
    context = get_script_run_ctx()
    fragment = ThreadState.get().fragment_id
    assert context is not None and fragment is not None
    message = ForwardMsg()
    message.stop_auto_rerun.fragment_ids.append(fragment)
    context.enqueue(message)


def _interval(task: Task, job: Job) -> float:
    """Seconds between two updates: longer where many are before it when the page is drawn."""
    before = job.position or 0
    return max(task.interval, min(MAX_INTERVAL_S, INTERVAL_IN_QUEUE_S * before))


def _draw_failure(task: Task) -> None:
    """Draw why the work that the visitor began last has failed, if it has."""
    job = _followed_job(task)
    if job is not None and job.failed:
        st.error(escape_markdown(describe_error(job.error)))


def _rerun_after(task: Task, job: Job) -> None:
    """Run the page again after a job has ended, with a message if it has failed."""
    if _has_failed(job) and not task.shared:
        _remember_failure(task, job)
    rerun_keeping_message()


def _progress_text(job: Job, share: float) -> str:
    before = job.position
    if before:
        others = "1 other computation is" if before == 1 else f"{before} other computations are"
        return f"Waiting: {others} before this one"
    text = f"{share:.0%}"
    seconds = job.seconds_left(share)
    if seconds is None:
        return text
    duration = f"{seconds:.0f} s" if seconds < LONG_S else f"{seconds / 60:.0f} min"
    return f"{text}, about {duration} left"


def _cancel(task: Task, job: Job) -> None:
    session.stopped_tasks[task.name] = task.key
    partial = job.progress.partial if job.progress else None
    if partial is not None:
        session.partial_results[task.name] = (task.key, partial)
    task.queue.unsubscribe(task.subscriber)
    task.queue.unsubscribe_where(is_disconnected, task.key)


def _remember_failure(task: Task, job: Job) -> None:
    """Report a failure once; the work starts again only after a click."""
    session.stopped_tasks[task.name] = task.key
    problem = escape_markdown(describe_error(job.error))
    session.message = f"{task.subject} could not be {task.done}: {problem}"
