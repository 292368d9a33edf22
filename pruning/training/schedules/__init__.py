"""Schedules: how pruning and training follow each other. Importing a module registers its own."""

from pruning.training.schedules import (  # noqa: F401  registers
    finetune,
    gradient,
    gradual,
    iterative,
    lottery,
    sparsify,
    until,
)
from pruning.training.schedules.base import SCHEDULES

__all__ = ["SCHEDULES"]
