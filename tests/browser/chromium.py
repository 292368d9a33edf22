"""The Chromium of the browser tests: one that is there, or one installed now. As a script: see to it that there is one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path


def find() -> str | None:
    """The path of a Chromium or Chrome, the system's first, then Playwright's own; None without one."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if (there := shutil.which(name)) and _starts(there):
            return there
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if own and Path(own).is_file() and _starts(own) else None


def _starts(path: str) -> bool:
    """A browser without its system libraries is none."""
    return subprocess.run([path, "--version"], capture_output=True).returncode == 0


def install() -> None:
    """Debian's package when that may be installed, else Playwright's own download; failures show in the output."""
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
