"""Criteria: one short function each, giving every unit a score; a low score goes first, always.

A new criterion is one decorated function in a module of this package, imported below.
"""

from pruning.criteria.base import CRITERIA, Context, Criterion
from pruning.criteria import magnitude  # noqa: F401  (it registers itself)

__all__ = ["CRITERIA", "Context", "Criterion"]
