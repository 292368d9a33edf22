"""Helpers of the tests of retraining: small networks, few epochs."""

from typing import Any

from pruning.recipe.recipe import Recipe
from pruning.runtime.errors import Cancelled
from pruning.training.run import RunProgress
from pruning.training.spec import RunSpec, default_spec

SMALL = ("lenet300", "digits")


class Stop(Cancelled):
    """Raised by a report, in place of an interruption."""


def small_spec(schedule: str, network: str = "lenet300", **changes: Any) -> RunSpec:
    """Two short rounds or epochs on the built-in digits."""
    names = ("method", "criterion", "grouping", "scope")
    step = {name: changes.pop(name) for name in names if name in changes}
    recovery = changes.pop("recovery", ())
    value = changes.pop("value", 0.8)
    recipe = Recipe.one_step(network, "digits", value=value, recovery=recovery, **step)
    return default_spec(recipe, schedule, **({"epochs": 2, "rounds": 2} | changes))


def stop_after(epochs: int, step: int = 3):
    """A report that interrupts a run in the given step after some finished epochs."""
    calls = {"in_epoch": 0, "epochs": 0}

    def report(progress: RunProgress) -> None:
        if len(progress.records) != calls["epochs"]:
            calls["epochs"], calls["in_epoch"] = len(progress.records), 0
        calls["in_epoch"] += 1
        if calls["epochs"] >= epochs and calls["in_epoch"] >= step:
            raise Stop

    return report
