"""Networks: each one an ``nn.Sequential`` of named stages, built by name.

A network is added by a decorated function in a module of this package that is imported below.
The order of the imports is the order of ``NETWORKS``.
"""

from pruning.models import lenet, resnet  # noqa: F401  (imported to register the networks)
from pruning.models.base import NETWORKS, Network, build, prunable
from pruning.models.blocks import Add, ResidualBlock
from pruning.runtime.defaults import DEFAULT_NETWORK

__all__ = [
    "DEFAULT_NETWORK",
    "NETWORKS",
    "Add",
    "Network",
    "ResidualBlock",
    "build",
    "prunable",
]
