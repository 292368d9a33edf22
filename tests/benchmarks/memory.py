"""Memory of the server over 500 moves of the slider: `python -m tests.benchmarks.memory`."""

import sys
from collections.abc import Sequence

import psutil
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
        processes = server_processes(address)
        for move in range(max(report_after) + 1):
            if move:
                move_slider(page, "ArrowRight" if move % 500 < 250 else "ArrowLeft")
            if move in report_after:
                print(f"{move:4d} moves: {resident_megabytes(processes):,.0f} MB", flush=True)


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


def server_processes(address: str) -> list[psutil.Process]:
    """Return the server's processes.

    Parameters
    ----------
    address : str
        Its address.

    Returns
    -------
    list of psutil.Process
        The one whose command line has the port, and its children.
    """
    port = address.rpartition(":")[2]
    for process in psutil.process_iter(["cmdline"]):
        if port in (process.info["cmdline"] or []):
            return [process, *process.children(recursive=True)]
    sys.exit("the server has no process")


def resident_megabytes(processes: Sequence[psutil.Process]) -> float:
    """Return the resident memory of processes, without what they share with each other.

    Parameters
    ----------
    processes : sequence of psutil.Process
        The processes.

    Returns
    -------
    float
        Proportional set sizes, in megabytes.
    """
    sizes = [process.memory_full_info().pss for process in processes]
    return sum(sizes) / 1e6


if __name__ == "__main__":
    main()
