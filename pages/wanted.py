"""Long work that begins with a button and can be cancelled."""

import streamlit as st

from pages.session import jobs, plain, visitor


def wanted(owner: str, key: tuple, work, label: str):
    """The result of long work that begins with a button; None until it is there."""
    known, running = jobs().known(key), jobs().following((visitor(), owner))
    if known is not None:
        return known
    if running and running.key != key:
        jobs().leave((visitor(), owner))
        running = None
    if running is None and st.button(label, key=f"begin {owner}", icon=":material/play_arrow:"):
        jobs().follow((visitor(), owner), key, work)
        st.rerun()
    if running:
        _wait(running, owner)
    return None


@st.fragment(run_every=0.5)
def _wait(job, owner: str) -> None:
    if job.done:
        if job.failed:
            st.session_state["message"] = plain(str(job.error))
        st.rerun()
    share = job.progress or 0.0
    bar, stop = st.columns([4, 1], vertical_alignment="center")
    bar.progress(share, f"{share:.0%}")
    if stop.button("Cancel", key=f"cancel {owner}", width="stretch"):
        jobs().leave((visitor(), owner))
        st.rerun()
