"""Downloads in the sidebar, without a network."""

import threading

import pytest

from pages.controls import checkpoint
from pruning.runtime.errors import DatasetError
from tests.pages.common import numbers, opened, plain, run_until

MNIST_BUTTON = "Download MNIST (12 MB)"

pytestmark = pytest.mark.usefixtures("no_downloads")


def download_mnist(at) -> None:
    """Click the button of the download."""
    [button] = [button for button in at.sidebar.button if button.label == MNIST_BUTTON]
    button.click().run()


def progress_of(at) -> list[str]:
    """Return text and percentage of each progress bar in the sidebar."""
    bars = [bar.proto for bar in at.sidebar.get("progress")]
    return [f"{bar.text} {bar.value}" for bar in bars]


def test_a_download_that_fails_is_said_and_everything_else_goes_on(monkeypatch):
    def offline(name, report):
        report(0.5)
        raise DatasetError(
            "MNIST could not be downloaded (offline): check the connection and try again"
        )

    monkeypatch.setattr(checkpoint, "download", offline)
    at = opened(network="lenet300", dataset="digits")
    download_mnist(at)
    run_until(at, lambda: at.sidebar.error)
    assert "check the connection" in plain(at.sidebar.error[0])
    assert numbers(at)["Sparsity"] == "50.00%"
    assert at.sidebar.button[0].label == MNIST_BUTTON


def test_every_visitor_sees_the_progress_of_a_download_and_none_can_cancel_it(monkeypatch):
    is_released = threading.Event()

    def slow(name, report):
        while not is_released.wait(0.01):
            report(0.5)
        raise DatasetError("MNIST could not be downloaded: it is over")

    monkeypatch.setattr(checkpoint, "download", slow)
    visitors = [opened(network="lenet300", dataset="digits") for _ in range(2)]
    first, second = visitors
    download_mnist(first)
    for at in visitors:
        run_until(at, lambda at=at: progress_of(at) == ["Downloading MNIST 50"])
        labels = [button.label for button in at.sidebar.button]
        assert MNIST_BUTTON not in labels
        assert "Cancel" not in labels
        assert numbers(at)["Sparsity"] == "50.00%"
    is_released.set()
    for at in visitors:
        run_until(at, lambda at=at: not progress_of(at))
    assert "it is over" in plain(first.sidebar.error[0])
    assert not second.sidebar.error  # who did not begin it


def test_a_file_that_was_deleted_is_downloaded_again(monkeypatch):
    names = []
    monkeypatch.setattr(checkpoint, "download", lambda name, report: names.append(name))
    at = opened(network="lenet300", dataset="digits")
    for count in (1, 2):
        download_mnist(at)
        run_until(at, lambda: not progress_of(at))
        assert names == ["mnist"] * count
    assert not at.sidebar.error
