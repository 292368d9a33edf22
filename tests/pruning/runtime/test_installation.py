import re
import sys

import pytest

from pruning.runtime import installation
from pruning.runtime.errors import PrunescopeError
from pruning.runtime.installation import check_torch

OTHER = {"torch": "2.13.0+cpu", "torchvision": "0.29.2"}


@pytest.fixture(autouse=True)
def check_again():
    check_torch.cache_clear()
    yield
    check_torch.cache_clear()


@pytest.fixture
def other_versions(monkeypatch):
    monkeypatch.setattr(installation, "version", OTHER.__getitem__)


@pytest.fixture
def broken_torchvision(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)  # its import fails


def pins_in(message: str) -> dict[str, str]:
    """Versions that a message says to install."""
    return dict(re.findall(r"(torch\w*)==([\w.+]+)", message))


def test_the_pinned_pair_is_not_imported(monkeypatch, other_versions, broken_torchvision):
    with pytest.raises(PrunescopeError) as error:
        check_torch()
    pins = pins_in(str(error.value))
    assert set(pins) == {"torch", "torchvision"}
    monkeypatch.setattr(installation, "version", pins.__getitem__)
    check_torch()


def test_another_pair_that_works_is_accepted(other_versions):
    check_torch()


def test_a_pair_that_does_not_work_is_one_sentence(other_versions, broken_torchvision):
    with pytest.raises(PrunescopeError) as error:
        check_torch()
    message = str(error.value)
    assert "torch 2.13.0+cpu and torchvision 0.29.2 do not work together" in message
    pins = " ".join(f"{name}=={number}" for name, number in pins_in(message).items())
    assert message.endswith(f"run `pip install --force-reinstall {pins}`")


def test_a_missing_package_is_one_sentence(monkeypatch):
    def version(name):
        raise installation.PackageNotFoundError(name)

    monkeypatch.setattr(installation, "version", version)
    with pytest.raises(PrunescopeError, match="torch is not installed: run `pip install"):
        check_torch()


def test_without_requirements_only_the_import_is_checked(
    other_versions, monkeypatch, tmp_path, request
):
    monkeypatch.setattr(installation, "REQUIREMENTS", tmp_path / "requirements.txt")
    check_torch()
    check_torch.cache_clear()
    request.getfixturevalue("broken_torchvision")
    with pytest.raises(PrunescopeError, match="pip install --force-reinstall torch torchvision`"):
        check_torch()


def test_a_success_is_cached_and_a_failure_is_not(monkeypatch):
    calls = []

    def version(name):
        calls.append(name)
        if len(calls) == 1:
            raise installation.PackageNotFoundError(name)
        return OTHER[name]

    monkeypatch.setattr(installation, "version", version)
    with pytest.raises(PrunescopeError):
        check_torch()
    for _ in range(3):
        check_torch()
    assert calls == ["torch", "torch", "torchvision"]
