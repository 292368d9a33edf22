"""Criteria: one short function each, giving every unit a score; a low score goes first, always.

A new criterion is one decorated function in a module of this package, imported below.
"""

from pruning.methods.criteria.base import CRITERIA, Context, Criterion

# The order of registration is the order of the selectors; the first criterion is the default.
# isort: off
from pruning.methods.criteria import weights, activity, gradients, loss, control  # noqa: F401

# isort: on

__all__ = ["CRITERIA", "Context", "Criterion"]
