"""Check of the installed packages."""

from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement

from pruning.runtime.errors import PrunescopeError

CHECKOUT = Path(__file__).parents[2]
INSTALLED = Path(__file__).parents[1] / "web"
"""Where a wheel has what lies at the top of the checkout."""
APPLICATION = CHECKOUT if (CHECKOUT / "serve.py").is_file() else INSTALLED
"""Folder of the application: its pages, its assets, and the script that serves it."""
ASSETS = APPLICATION / "assets"
SERVER = APPLICATION / "serve.py"
REQUIREMENTS = APPLICATION / "requirements.txt"
PACKAGES = ("torch", "torchvision")
ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def check_onnx_installed(packages: Sequence[str] = ONNX_PACKAGES) -> None:
    """Check that packages of the extra ``onnx`` are installed.

    Parameters
    ----------
    packages : sequence of str
        Those that are needed; by default all of them.

    Raises
    ------
    PrunescopeError
        If one is missing; the message says what to install.
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise PrunescopeError(
            f"ONNX files need {', '.join(missing)}: run `pip install prunescope[onnx]`"
        )


@cache
def check_torch() -> None:
    """Check that torch and torchvision work together; a success is cached.

    The pinned pair is known to work. Any other pair is tested by an import of torchvision, which
    takes a second: a torch built for processors only has the right version number for a
    torchvision built for graphics cards, but lacks its operators.

    Raises
    ------
    PrunescopeError
        If one is missing, or they do not work together; the message says what to install.
    """
    pins = _pinned_versions()
    requirements = " ".join(_requirement(name, pins) for name in PACKAGES)
    remedy = f"run `pip install --force-reinstall {requirements}`"
    try:
        installed = {name: version(name) for name in PACKAGES}
    except PackageNotFoundError as error:
        raise PrunescopeError(f"{error.name} is not installed: {remedy}") from error
    if installed == pins:
        return
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError, OSError) as error:
        pair = " and ".join(f"{name} {number}" for name, number in installed.items())
        raise PrunescopeError(f"{pair} do not work together: {remedy}") from error


def _pinned_versions() -> dict[str, str]:
    """Versions of torch and torchvision in requirements.txt, which an installed package lacks."""
    if not REQUIREMENTS.exists():
        return {}
    pins = {}
    for line in REQUIREMENTS.read_text().splitlines():
        if not line.startswith("torch"):
            continue
        requirement = Requirement(line)
        if requirement.name in PACKAGES:
            pins[requirement.name] = next(iter(requirement.specifier)).version
    return pins


def _requirement(name: str, pins: dict[str, str]) -> str:
    return f"{name}=={pins[name]}" if name in pins else name
