import pytest


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder for dataset files."""
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path))
    return tmp_path
