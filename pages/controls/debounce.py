"""Moves of a slider in quick succession, of which only the last one is measured and drawn."""

import time

from pages.state.session import session

ALONE_AFTER_S = 0.35
DEBOUNCE_S = 0.15


def debounce() -> None:
    """Skip superseded slider positions: only the last of a quick series is measured and drawn.

    A single move does not wait. A newer move ends this run at its next element.
    """
    now = time.monotonic()
    is_alone = now - session.last_move > ALONE_AFTER_S
    session.last_move = now
    if not is_alone:
        time.sleep(DEBOUNCE_S)
