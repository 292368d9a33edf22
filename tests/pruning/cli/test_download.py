"""``download``."""

import urllib.request

import pytest

from pruning.data import datasets
from tests.pruning.cli.common import error_of, run_text


def test_what_is_there_is_not_downloaded(capsys, real):
    assert run_text(capsys, "download", "digits") == "digits is built in\n"
    real("mnist")
    assert run_text(capsys, "download", "mnist") == f"mnist is {datasets.path_of('mnist')}\n"


def test_an_unknown_dataset_is_status_2(capsys):
    assert "unknown dataset 'nope': choose from digits" in error_of(capsys, "download", "nope")


@pytest.mark.parametrize("command", [["download", "mnist"], ["prune", "--sparsity", "0.5"]])
def test_no_connection_is_one_line_and_status_1(capsys, tmp_path, monkeypatch, command):
    monkeypatch.setenv("PRUNESCOPE_DATA", "unused")
    monkeypatch.setattr(urllib.request, "_opener", None)  # it keeps the proxies of its first use
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    from pruning.cli.main import run

    assert run([*command, "--data-dir", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert "check the connection" in err
    assert err.strip().count("\n") == 0
