"""Memory of the server over 500 moves of the slider: `python -m tests.benchmarks.memory`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Page

from tests.browser import conftest

LINK = "?network=lenet5&dataset=mnist&sparsity=0.4"
REPORT_AFTER = (0, 100, 300, 500)
MOVE_TIMEOUT_MS = 60_000


def main(report_after: Sequence[int] = REPORT_AFTER) -> None:
    """Move the slider, and print the resident memory of the server after some numbers of moves."""
    with conftest.serving() as address, conftest.chromium() as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.goto(f"{address}/{LINK}")
        conftest.settle(page)
        process = server_process(address)
        for move in range(max(report_after) + 1):
            if move:
                move_slider(page, "ArrowRight" if move % 500 < 250 else "ArrowLeft")
            if move in report_after:
                print(f"{move:4d} moves: {resident_megabytes(process):,.0f} MB", flush=True)


def move_slider(page: Page, key: str) -> None:
    """Press a key on the slider and wait for the page.

    Parameters
    ----------
    page : Page
        Explore.
    key : str
        An arrow key.
    """
    before = page.url
    slider = conftest.sidebar_slider(page)
    slider.focus()
    page.keyboard.press(key)
    page.wait_for_function("url => location.href !== url", arg=before, timeout=MOVE_TIMEOUT_MS)
    page.wait_for_selector(conftest.QUIET, timeout=MOVE_TIMEOUT_MS)


def server_process(address: str) -> int:
    """Return the id of the server's process.

    Parameters
    ----------
    address : str
        Its address.

    Returns
    -------
    int
        Found by its command line, which has the port.
    """
    port = address.rpartition(":")[2].encode()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        if port in path.read_bytes().split(b"\0"):
            return int(path.parent.name)
    sys.exit("the server has no process")


def resident_megabytes(process: int) -> float:
    """Return the resident memory of a process.

    Parameters
    ----------
    process : int
        Its id.

    Returns
    -------
    float
        In megabytes.
    """
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1000
    sys.exit(f"process {process} has ended")


if __name__ == "__main__":
    main()
