"""Networks: each an nn.Sequential of named stages, built by name.

A new network is one decorated function in a module of this package, imported below.
"""

from pruning.models import lenet, resnet  # noqa: F401  (they register themselves)
from pruning.models.base import NETWORKS, Network, build, layer_names, prunable

__all__ = ["NETWORKS", "Network", "build", "layer_names", "prunable"]
