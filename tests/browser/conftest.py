"""A server on a free port and a Chromium; both are started here and only these are stopped."""

import asyncio
import os
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.browser.chromium import find

ROOT = Path(__file__).parents[2]
ARTEFACTS = ROOT / "tests" / "artefacts"
QUIET = "[data-testid=stApp][data-test-script-state=notRunning]"
SIZE = {"width": 1400, "height": 1000}
PAUSE_MS = 400
HAS_BEEN_QUIET = """([selector, pause, name]) => {
  const now = performance.now();
  if (window.quiet?.name !== name || !document.querySelector(selector)) {
    window.quiet = {name, since: now};
  }
  return now - window.quiet.since >= pause;
}"""
"""Whether no script has run for a while, since the first call with this name."""
FOLLOW = """link => {
  history.pushState({}, "", link);
  dispatchEvent(new PopStateEvent("popstate"));
}"""


def run_async(coroutine):
    """Run a coroutine in a thread of its own: a running browser has an event loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


@contextmanager
def serving(port: int = 0):
    """Start the application, on a free port by default, and give its address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        port = probe.getsockname()[1]
    ARTEFACTS.mkdir(exist_ok=True)
    with (ARTEFACTS / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [
                sys.executable,
                "serve.py",
                "--server.port",
                str(port),
                "--server.address",
                "127.0.0.1",
            ],
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_until_healthy(server, address)
            yield address
        finally:
            server.terminate()
            server.wait(20)


def _wait_until_healthy(server, address: str) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.time() + 60
    while True:
        try:
            direct.open(f"{address}/_stcore/health", timeout=2).close()
            return
        except OSError:
            is_waiting = server.poll() is None and time.time() < deadline
            assert is_waiting, (ARTEFACTS / "server.log").read_text()
            time.sleep(0.1)


@contextmanager
def chromium():
    """A running browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def address():
    with serving() as server_address:
        yield server_address


@pytest.fixture(scope="session")
def browser():
    if not find():
        message = "NO CHROMIUM: run `python tests/browser/chromium.py` to install one"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    with chromium() as running:
        yield running


@pytest.fixture
def visit(browser, address):
    """Call with a path and a query: the page of a new visitor, settled and without an error."""
    contexts = []

    def go(query: str = "", *, width: int = 1400, height: int = 1000, scheme: str = "light"):
        contexts.append(
            browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=scheme,
                accept_downloads=True,
            )
        )
        page = contexts[-1].new_page()
        page.goto(f"{address}/{query}")
        settle(page)
        return page

    yield go
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def opened(browser, address):
    """A page that is opened once for the tests of a module that need no new visitor."""
    context = browser.new_context(viewport=SIZE)
    page = context.new_page()
    page.goto(f"{address}/about")
    settle(page)
    yield page
    context.close()


@pytest.fixture
def revisit(opened):
    """Call with a query: the page that is opened, settled, whatever a test has done there."""

    def go(query: str):
        opened.mouse.up()
        opened.set_viewport_size(SIZE)
        follow(opened, "about")
        follow(opened, query)
        return opened

    return go


def settle(page) -> None:
    """Wait until no script has run for a moment; an exception on the page fails the test."""
    arguments = [QUIET, PAUSE_MS, str(time.monotonic_ns())]
    page.wait_for_function(HAS_BEEN_QUIET, arg=arguments, polling=50, timeout=60_000)
    assert page.locator("[data-testid=stException]").count() == 0


def follow(page, link: str) -> None:
    """Open a link as Back does: the visitor is the same, and the program is not loaded again."""
    page.evaluate(FOLLOW, f"/{link}")
    settle(page)


def sidebar_slider(page):
    """The slider of the value of a rule."""
    return page.get_by_test_id("stSidebar").get_by_role("slider")
