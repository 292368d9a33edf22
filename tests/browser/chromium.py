"""The Chromium of the browser tests. As a script: install one if there is none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path


def find() -> str | None:
    """Return the path of a Chromium or Chrome, of the system or of Playwright; None without one."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        path = shutil.which(name)
        if path and _starts(path):
            return path
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if path and Path(path).is_file() and _starts(path) else None


def _starts(path: str) -> bool:
    """Return whether a browser runs: it may lack system libraries."""
    return subprocess.run([path, "--version"], capture_output=True).returncode == 0


def install() -> None:
    """Install Debian's package, or else Playwright's download; failures are in the output."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing Chromium (Debian's package) for the browser tests")
        quiet = {
            "env": os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            "stdout": subprocess.DEVNULL,
        }
        if (
            subprocess.run(["apt-get", "update"], **quiet).returncode == 0
            and subprocess.run(
                ["apt-get", "install", "-y", "--no-install-recommends", "chromium"], **quiet
            ).returncode
            == 0
        ):
            return
    print("installing Playwright's Chromium for the browser tests")
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"])


if __name__ == "__main__":
    if not find():
        install()
    if not find():
        print(
            "NO CHROMIUM: the browser tests "
            + ("fail" if os.environ.get("CI") == "true" else "are skipped")
        )
