"""The built wheel alone, in an environment of its own, far from the checkout."""

import os
import socket
import subprocess
import sys
import sysconfig
import time
import tomllib
import urllib.request
import venv
from pathlib import Path

import pytest
from packaging.requirements import Requirement

CHECKOUT = Path(__file__).parents[1]
START_S = 60

PROGRAM = """
import pruning
assert "site-packages" in pruning.__file__ and "fresh" in pruning.__file__, pruning.__file__
pruned = pruning.prune("lenet5", "digits", sparsity=0.5)
print(pruned.evaluate().accuracy.images)
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory) -> Path:
    """Programs of an environment with the wheel, and the dependencies of this one."""
    folder = tmp_path_factory.mktemp("fresh")
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q"]
    subprocess.run([*build, "-w", str(folder), str(CHECKOUT)], check=True, timeout=300)
    [wheel] = folder.glob("prunescope-*.whl")
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", str(wheel)], check=True)
    [site_packages] = (folder / "venv" / "lib").glob("python*/site-packages")
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


def environment(folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {
        **kept,
        "PRUNESCOPE_STORE": str(folder / "store.sqlite"),
        "PRUNESCOPE_DATA": str(folder),
    }


def test_the_wheel_requires_everything_that_the_application_needs():
    content = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    required = {Requirement(text).name for text in content["project"]["dependencies"]}
    lines = (CHECKOUT / "requirements.txt").read_text().splitlines()
    pinned = {Requirement(line).name for line in lines if not line.startswith("#")}
    assert required == pinned


@pytest.mark.slow
def test_the_library_prunes_a_shipped_network(fresh, tmp_path):
    command = [fresh / "python", "-c", PROGRAM]
    result = subprocess.run(
        command, cwd=tmp_path, env=environment(tmp_path), check=True, capture_output=True, text=True
    )
    assert result.stdout.strip() == "360"


@pytest.mark.slow
def test_the_command_line_lists_the_registries(fresh, tmp_path):
    command = [fresh / "prunescope", "list"]
    result = subprocess.run(
        command, cwd=tmp_path, env=environment(tmp_path), check=True, capture_output=True, text=True
    )
    assert "lenet300" in result.stdout and "magnitude" in result.stdout


@pytest.mark.slow
def test_the_application_answers(fresh, tmp_path):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [fresh / "prunescope", "app", "--port", str(port)]
    server = subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**environment(tmp_path), "STREAMLIT_SERVER_HEADLESS": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert _answer(f"http://localhost:{port}/_stcore/health") == b"ok"
        assert b"<title>" in _answer(f"http://localhost:{port}/inside")
    finally:
        server.terminate()
        server.wait(30)


def _answer(address: str) -> bytes:
    """Ask until the server has started."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            return urllib.request.urlopen(address, timeout=10).read()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.5)
