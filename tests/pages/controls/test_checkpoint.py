"""Downloads in the sidebar, without a network."""

import pytest

from pages.controls import checkpoint
from pruning.runtime.errors import DatasetError
from tests.pages.common import numbers, opened, plain, run_until

pytestmark = pytest.mark.usefixtures("no_downloads")


def test_a_download_that_fails_is_said_and_everything_else_goes_on(monkeypatch):
    def offline(name, report):
        report(0.5)
        raise DatasetError(
            "MNIST could not be downloaded (offline): check the connection and try again"
        )

    monkeypatch.setattr(checkpoint, "download", offline)
    at = opened(network="lenet300", dataset="digits")
    at.sidebar.button[0].click().run()
    run_until(at, lambda: at.sidebar.error)
    assert "check the connection" in plain(at.sidebar.error[0])
    assert numbers(at)["Sparsity"] == "50.00%"
    assert at.sidebar.button[0].label == "Download MNIST (12 MB)"
