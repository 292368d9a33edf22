"""Is what is installed fit to run?"""

from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement
from packaging.version import Version

from pruning.errors import PrunescopeError


def check_torch() -> None:
    """Raise PrunescopeError, saying what to install, if torch and torchvision are not a pair that works together.

    Their package records are compared first; only a suspicious pair is put to the test, since the import takes
    a second.
    """
    try:
        torch, vision = version("torch"), version("torchvision")
    except PackageNotFoundError as error:
        raise PrunescopeError(f"{error.name} is not installed: run `pip install -r requirements.txt`") from error
    wanted = next((r.specifier for r in map(Requirement, requires("torchvision") or ()) if r.name == "torch"), None)
    same_build = Version(torch).local == Version(vision).local  # "cpu" beside none: operators will be missing
    if same_build and (wanted is None or wanted.contains(torch)):
        return
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError, OSError) as error:
        raise PrunescopeError(f"torch {torch} and torchvision {vision} do not work together: run `pip install "
                              f"--force-reinstall torch{wanted or ''} torchvision=={vision}` from one index") from error
