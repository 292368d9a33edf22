"""Criteria: one short function each, giving every unit a score; a low score goes first, always.

A new criterion is one decorated function in a module of this package, imported below.
"""

from pruning.methods.criteria.base import CRITERIA, Context, Criterion
from pruning.methods.criteria import weights, activity, gradients, loss, control  # noqa: F401  (they register themselves)

__all__ = ["CRITERIA", "Context", "Criterion"]
