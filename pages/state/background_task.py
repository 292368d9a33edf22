"""Long work, with its progress and a way to end it: begun with a button, or at once."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from pages.state.session import draw_again, gone, jobs, plain, visitor
from pruning.runtime.jobs import Job


def wanted(owner: str, key: tuple, work: Callable, label: str) -> Any:
    """The result of work that begins with a button; None until it is there. Its progress is the share that is done."""
    known, running = jobs().cached_result(key), jobs().subscription((visitor(), owner))
    if known is not None:
        return known
    if running and running.key != key:
        jobs().unsubscribe((visitor(), owner))
        running = None
    if running is None and st.button(label, key=f"begin {owner}", icon=":material/play_arrow:"):
        jobs().subscribe((visitor(), owner), key, work)
        st.rerun()
    if running:
        st.fragment(_live, run_every=1.0)(running, owner, lambda progress: None)
    return None


def at_once(
    owner: str,
    key: tuple,
    work: Callable,
    show: Callable[[Any], None],
    label: str,
    every: float = 1.0,
) -> Any:
    """The result of work that begins by itself; until it is there, None, and what there is of it is shown,
    ``every`` so many seconds.

    Its progress is a pair: what there is, and the share that is done. It goes on while its visitor looks at other pages,
    and after a reload; cancelled, it waits for a button.
    """
    if (known := jobs().cached_result(key)) is not None:
        return known
    if st.session_state.get(f"no {owner}") == key:
        st.button(
            label,
            key=f"begin {owner}",
            icon=":material/play_arrow:",
            on_click=st.session_state.pop,
            args=[f"no {owner}", None],
        )
        if (kept := st.session_state.get(f"kept {owner}")) and kept[0] == key:
            show(kept[1])  # what there was when it was cancelled
        return None
    job = jobs().subscribe((visitor(), owner), key, work)
    if job.wait(timeout=0.3) and not job.failed:
        return job.result
    if job.failed:
        st.session_state[f"no {owner}"] = key
        st.error(plain(str(job.error)))
        return None
    st.fragment(_live, run_every=every)(job, owner, show)
    return None


def _live(job: Job, owner: str, show: Callable[[Any], None]) -> None:
    if job.done:
        if job.failed:
            st.session_state.update({"message": plain(str(job.error)), f"no {owner}": job.key})
        draw_again()
    found, share = job.progress if isinstance(job.progress, tuple) else (None, job.progress or 0.0)
    left = job.seconds_left(share)
    bar, stop = st.columns([4, 1], vertical_alignment="center")
    bar.progress(
        share, f"{share:.0%}" + (f", about {_time(left)} left" if left is not None else "")
    )
    if stop.button("Cancel", key=f"cancel {owner}", width="stretch"):
        st.session_state.update(
            {f"no {owner}": job.key, f"kept {owner}": (job.key, found) if found else None}
        )
        jobs().unsubscribe((visitor(), owner))
        jobs().unsubscribe_where(gone, job.key)
        st.rerun()
    if found:
        show(found)


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
