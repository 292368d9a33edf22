"""Fixtures of the tests of the command line."""

import pytest

from tests.pruning.local_postgres import USER


@pytest.fixture
def own_store(request, tmp_path, monkeypatch):
    """An empty store of results: where it is, for people."""
    if getattr(request, "param", "file") == "server":
        postgres = request.getfixturevalue("server_store")
        return postgres.address_of(f"{USER}:***")
    path = tmp_path / "store" / "results.sqlite"
    monkeypatch.setenv("PRUNESCOPE_STORE", str(path))
    return path
