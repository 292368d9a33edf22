"""Criteria: short functions that score units; the lowest scores are removed first.

To add a criterion, decorate a function in a module of this package and import the module below.
"""

from pruning.methods.criteria.base import CRITERIA, Context, Criterion

# The order of registration is the order of the selectors; the first criterion is the default.
# isort: off
from pruning.methods.criteria import weights, activity, gradients  # noqa: F401
from pruning.methods.criteria import second_order, loss, control  # noqa: F401

# isort: on

__all__ = ["CRITERIA", "Context", "Criterion"]
