from types import SimpleNamespace

import pytest

from pages.state import run_jobs
from pruning.training.run_files import RunInfo


def info(owner: str) -> RunInfo:
    return RunInfo("lenet300-digits-finetune-0", None, "paused", 0.0, 0, owner=owner)


def test_visitors_may_change_their_own_runs_only(monkeypatch):
    monkeypatch.setattr(run_jobs, "current_owner", lambda: "one")
    assert run_jobs.may_change(info("one"))
    assert not run_jobs.may_change(info("other"))
    assert not run_jobs.may_change(info(""))


def test_the_machine_of_the_server_may_change_all_runs(monkeypatch):
    monkeypatch.setattr(run_jobs, "current_owner", lambda: run_jobs.LOCAL)
    assert run_jobs.may_change(info("one")) and run_jobs.may_change(info(""))


@pytest.mark.parametrize(
    "address, is_local",
    [
        (None, True),
        ("::ffff:127.0.0.1", False),  # so every visitor arrives behind a proxy, without an address
        ("127.0.0.2", False),
        ("10.0.0.1", False),
        ("a name", False),
    ],
)
def test_the_machine_of_the_server_is_recognised(monkeypatch, address, is_local):
    page = SimpleNamespace(context=SimpleNamespace(ip_address=address))
    monkeypatch.setattr(run_jobs, "st", page)
    assert (run_jobs.current_owner() == run_jobs.LOCAL) is is_local
