"""Is what is installed fit to run?"""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

from pruning.runtime.errors import PrunescopeError

PINS = Path(__file__).parents[2] / "requirements.txt"


def check_torch() -> None:
    """Raise PrunescopeError, saying what to install, if torch and torchvision are not a pair that works together.

    The pinned pair is known to work. Any other is put to the test, which takes a second: a torch for processors only,
    beside a torchvision for graphics cards, has the right version number and yet lacks operators.
    """
    lines = [line for line in PINS.read_text().splitlines() if line.startswith("torch")]
    pins = {pin.name: next(iter(pin.specifier)).version for pin in map(Requirement, lines)}
    remedy = (
        "run `pip install --force-reinstall "
        + " ".join(f"{name}=={pin}" for name, pin in pins.items())
        + "`"
    )
    try:
        there = {name: version(name) for name in pins}
    except PackageNotFoundError as error:
        raise PrunescopeError(f"{error.name} is not installed: {remedy}") from error
    if there == pins:
        return
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError, OSError) as error:
        raise PrunescopeError(
            " and ".join(f"{name} {number}" for name, number in there.items())
            + f" do not work together: {remedy}"
        ) from error
