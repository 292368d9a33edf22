"""The end of the server: expected, and not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.benchmarks.memory import server_processes
from tests.browser.conftest import run_async, serving
from tests.load import visitor as visitor_module
from tests.load.visitor import Kind, Visitor

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 20
SLOW = Kind("ResNet-20", "network=resnet20&dataset=digits&sparsity=0.5")


def wait_for_end(process: psutil.Process) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def visit(address: str, monkeypatch) -> Visitor:
    """Open Explore, whose curve is still computed when the visitor leaves."""
    monkeypatch.setattr(visitor_module, "REST_S", 0)
    visitor = Visitor(address.replace("http://", "ws://"), SLOW, seed=0)
    run_async(visitor.visit(time.monotonic(), 1, 1))
    return visitor


def test_a_normal_stop_is_no_failure_also_during_a_computation(monkeypatch):
    with serving() as address:
        server, classification = server_processes(address)
        visit(address, monkeypatch)
        server.terminate()
        assert server.wait(TIMEOUT_S) in (0, -signal.SIGTERM)  # for systemd, both are success
        wait_for_end(classification)


def test_the_classification_process_ends_with_a_killed_server():
    with serving() as address:
        server, classification = server_processes(address)
        server.send_signal(signal.SIGKILL)
        wait_for_end(classification)


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_server_goes_on_without_its_classification_process(when, monkeypatch):
    with serving() as address:
        _, classification = server_processes(address)
        if when == "after":
            visit(address, monkeypatch)
        classification.kill()
        wait_for_end(classification)
        visitor = visit(address, monkeypatch)
        assert visitor.opened is not None
        assert not visitor.errors


@pytest.mark.slow
@pytest.mark.parametrize(
    "variable, value, message",
    [
        (
            "PRUNESCOPE_DEVICE",
            "tpu",
            "PRUNESCOPE_DEVICE must be one of auto, cpu, cuda, mps, not 'tpu'",
        ),
        ("PRUNESCOPE_STORE", "mysql://user:secret@host/db", "PRUNESCOPE_STORE is not valid"),
    ],
)
def test_a_server_with_a_wrong_setting_does_not_start(variable, value, message):
    command = [sys.executable, str(ROOT / "serve.py")]
    environment = os.environ | {variable: value}
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert message in ended.stderr and "secret" not in ended.stderr
