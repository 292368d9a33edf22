"""Make the README's screenshot: Explore with LeNet-5, half of its weights removed.

Run by ``make shot``: ``python -m tests.browser.screenshot FILE``.
"""

import sys
from pathlib import Path

from pruning.data import datasets
from tests.browser.conftest import chromium, serving, settle

SIZE = {"width": 1400, "height": 1500}
CURVE_TIMEOUT_MS = 120_000


def main(path: Path) -> None:
    """Start a server, open Explore, compute the curve, and take a screenshot.

    Parameters
    ----------
    path : Path
        PNG file.
    """
    dataset = "mnist" if datasets.available("mnist") else "digits"
    with serving() as address, chromium() as browser:
        page = browser.new_page(viewport=SIZE)
        page.goto(f"{address}/?network=lenet5&dataset={dataset}&sparsity=0.5")
        settle(page)
        page.get_by_role("button", name="Cancel").wait_for(
            state="detached", timeout=CURVE_TIMEOUT_MS
        )
        settle(page)
        page.screenshot(path=path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
