"""Fixtures of the tests of pages."""

import pytest


@pytest.fixture
def no_downloads(tmp_path, monkeypatch):
    """Only the built-in data are on this machine."""
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path))
