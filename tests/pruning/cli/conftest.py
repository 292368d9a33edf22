"""Fixtures of the tests of the command line."""

import pytest


@pytest.fixture
def own_store(tmp_path, monkeypatch):
    """An empty store of results."""
    path = tmp_path / "store" / "results.sqlite"
    monkeypatch.setenv("PRUNESCOPE_STORE", str(path))
    return path
