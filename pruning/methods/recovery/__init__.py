"""Recoveries: changes of the remaining parameters after pruning, without training.

A recovery is added by a decorated function in a module of this package that is imported below.
The order of the imports is the order in which recoveries are applied.
"""

from pruning.methods.recovery import batch_norm, reconstruct  # noqa: F401  (to register them)
from pruning.methods.recovery.base import RECOVERIES, Recovery, RecoveryContext

__all__ = ["RECOVERIES", "Recovery", "RecoveryContext"]
