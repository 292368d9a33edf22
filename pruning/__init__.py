"""Prunescope's backend: networks, pruning, and what it costs. It does not use the web pages.

``import pruning`` has no side effects and imports no PyTorch. The public names below are imported
when they are first accessed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pruning.api.explore import explore as explore
    from pruning.api.functions import compare as compare
    from pruning.api.functions import curve as curve
    from pruning.api.functions import prune as prune
    from pruning.api.functions import retrain as retrain
    from pruning.api.functions import sensitivity as sensitivity
    from pruning.api.pruned import PrunedNetwork as PrunedNetwork
    from pruning.data.datasets import DATASETS as DATASETS
    from pruning.data.own_dataset import register_dataset as register_dataset
    from pruning.engine.evaluate import evaluate as evaluate
    from pruning.engine.evaluation import Evaluation as Evaluation
    from pruning.methods.criteria import CRITERIA as CRITERIA
    from pruning.methods.rules import RULES as RULES
    from pruning.methods.units import METHODS as METHODS
    from pruning.models import NETWORKS as NETWORKS
    from pruning.models.graph import UnsupportedNetworkError as UnsupportedNetworkError
    from pruning.models.onnx_import import network_from_onnx as network_from_onnx
    from pruning.recipe.recipe import Recipe as Recipe
    from pruning.recipe.step import Step as Step

# Public names, and the modules that define them. A name that is added here is also added above,
# for type checkers.
_PUBLIC = {
    "CRITERIA": "pruning.methods.criteria",
    "DATASETS": "pruning.data.datasets",
    "Evaluation": "pruning.engine.evaluation",
    "METHODS": "pruning.methods.units",
    "NETWORKS": "pruning.models",
    "PrunedNetwork": "pruning.api.pruned",
    "RULES": "pruning.methods.rules",
    "Recipe": "pruning.recipe.recipe",
    "Step": "pruning.recipe.step",
    "UnsupportedNetworkError": "pruning.models.graph",
    "evaluate": "pruning.engine.evaluate",
    "network_from_onnx": "pruning.models.onnx_import",
    "explore": "pruning.api.explore",
    "compare": "pruning.api.functions",
    "curve": "pruning.api.functions",
    "prune": "pruning.api.functions",
    "register_dataset": "pruning.data.own_dataset",
    "retrain": "pruning.api.functions",
    "sensitivity": "pruning.api.functions",
}

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
