"""The live parts of lessons: small experiments with the code of the program."""

from pages.learn.live import (  # noqa: F401
    automation,
    costs,
    criteria,
    judging,
    recovery,
    scopes,
    units,
    weights,
)
from pages.learn.live.base import LIVE_PARTS, task_name

__all__ = ["LIVE_PARTS", "task_name"]
