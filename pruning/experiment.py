"""Recipe to outcome: the path that every page, command and sweep walks."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from cachetools import LRUCache, cached
from torch import nn

from pruning import checkpoints, datasets
from pruning.cost import Cost, cost
from pruning.criteria import CRITERIA, Context
from pruning.datasets import DATASETS, Images
from pruning.evaluation import Accuracy, count_correct
from pruning.masks import Masks
from pruning.networks import prunable
from pruning.ranking import Ranking
from pruning.recipe import Recipe
from pruning.rules import RULES, Choice


@dataclass(frozen=True, eq=False)
class Outcome:
    """Everything that is shown of a recipe.

    ``layers`` has a row per prunable layer: name, kind, shape, weights, kept, sparsity, threshold (of the score; NaN
    where the layer does not take part), macs, macs_left. ``dense_accuracy`` is the card's, of the full test set.
    ``accuracy`` may be of the first images only; it then knows its interval.
    """

    recipe: Recipe
    accuracy: Accuracy
    dense_accuracy: float
    dense: Cost
    layers: pd.DataFrame
    warnings: tuple[str, ...]
    seconds: float

    @property
    def removed(self) -> int:
        return int((self.layers["weights"] - self.layers["kept"]).sum())

    @property
    def sparsity(self) -> float:
        """Removed / all prunable weights, as achieved."""
        return self.removed / self.dense.prunable_weights

    @property
    def parameters(self) -> int:
        """Parameters left, biases and batch norm included."""
        return self.dense.parameters - self.removed

    @property
    def compression(self) -> float:
        """All parameters / parameters left."""
        return self.dense.parameters / self.parameters

    @property
    def macs(self) -> int:
        return int(self.layers["macs_left"].sum())


def model(recipe: Recipe) -> nn.Sequential:
    """The trained network, shared by everybody and never modified."""
    return checkpoints.shared(recipe.network, recipe.dataset)


def ranking(recipe: Recipe) -> Ranking:
    """The sorted scores of the layers that take part; scored and sorted once per checkpoint and criterion."""
    key = recipe.key
    return _ranking(key.network, key.dataset, key.method, key.criterion, key.seed).only(key.chosen_layers)


@cached(LRUCache(maxsize=32), condition=threading.Condition())
def _ranking(network: str, dataset: str, method: str, criterion: str, seed: int) -> Ranking:
    trained = checkpoints.shared(network, dataset)
    scores = CRITERIA[criterion].function(Context(trained, dataset, method, seed))
    return Ranking.of(scores, {name: layer.weight for name, layer in prunable(trained).items()})


def choose(recipe: Recipe) -> Choice:
    """How many units each layer loses: a search in the ranking."""
    return RULES[recipe.rule].choose(ranking(recipe), recipe.value, recipe.scope)


@cached(LRUCache(maxsize=100_000_000, getsizeof=lambda masks: masks.bytes), condition=threading.Condition())
def masks(recipe: Recipe) -> Masks:
    """Which parameters live; the same on every machine. The last 100 MB of masks are remembered."""
    return Masks.of(model(recipe), recipe.method, ranking(recipe), choose(recipe))


def test_images(recipe: Recipe) -> Images:
    images = datasets.load(recipe.dataset, "test")
    return Images(images.pixels[:recipe.images], images.labels[:recipe.images]) if recipe.images else images


def run(recipe: Recipe, report: Callable[[Outcome], None] = lambda outcome: None) -> Outcome:
    """Prune and measure.

    Parameters
    ----------
    report : called after each batch with the outcome so far; what it raises ends the work

    Raises
    ------
    CheckpointError, DatasetError : the network or its data cannot be had.
    """
    began = time.perf_counter()
    trained, images, data = model(recipe), test_images(recipe), DATASETS[recipe.dataset]
    chosen = masks(recipe)
    parameters = chosen.apply(trained)
    layers = layer_table(recipe, chosen)
    outcome = Outcome(recipe, Accuracy(0, 0, data.test_images),
                      checkpoints.shared_card(recipe.network, recipe.dataset).test_accuracy,
                      cost(recipe.network, recipe.dataset), layers, warnings(layers), 0.0)
    correct = seen = 0
    batch = 250
    for right in count_correct(trained, parameters, images, data, batch=batch):
        correct, seen = correct + right, min(seen + batch, len(images))
        outcome = replace(outcome, accuracy=Accuracy(correct, seen, data.test_images),
                          seconds=time.perf_counter() - began)
        report(outcome)
    return outcome


def layer_table(recipe: Recipe, chosen: Masks) -> pd.DataFrame:
    """A row per prunable layer; `Outcome` lists the columns."""
    choice = choose(recipe)
    rows = []
    for layer in cost(recipe.network, recipe.dataset).layers:
        mask = chosen.get(f"{layer.name}.weight")
        kept = layer.weights if mask is None else int(mask.sum())
        rows.append({
            "name": layer.name, "kind": layer.kind, "shape": " x ".join(map(str, layer.shape)),
            "weights": layer.weights, "kept": kept, "sparsity": 1 - kept / layer.weights,
            "threshold": choice[layer.name].threshold if layer.name in choice else float("nan"),
            "macs": layer.macs, "macs_left": layer.macs * kept // layer.weights,
        })
    return pd.DataFrame(rows)


def warnings(layers: pd.DataFrame) -> tuple[str, ...]:
    """What a reader of the accuracy must know: which layers have lost everything, and whether any path is left."""
    names, lost = list(layers["name"]), list(layers.loc[layers["kept"] == 0, "name"])
    if not lost:
        return ()
    subject = ", ".join(lost) if len(lost) <= 4 else f"{lost[0]}, {lost[1]} and {len(lost) - 2} other layers"
    has = f"{subject} {'has lost all its' if len(lost) == 1 else 'have lost all their'} weights: "
    if any("." not in name for name in lost) or any(_closed(block, names, lost) for block in _blocks(lost)):
        return (has + "the network now answers the same for every image.",)
    return (has + f"only the other path of {'its block' if len(lost) == 1 else 'their blocks'} still carries the image.",)


def _blocks(names: list[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def _closed(block: str, names: list[str], lost: list[str]) -> bool:
    """Whether neither path of a residual block lets the image through; an identity shortcut always does."""
    shortcut = {name for name in names if name.startswith(f"{block}.shortcut.")}
    main = {name for name in names if name.startswith(f"{block}.")} - shortcut
    return bool(shortcut & set(lost)) and bool(main & set(lost))


def weights(recipe: Recipe, layer: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The dense weights of a layer, or of all prunable ones, and which of them are kept: (n,) float32, (n,) bool."""
    kept = masks(recipe).whole(model(recipe))
    tensors = {name: module.weight for name, module in prunable(model(recipe)).items() if layer in (None, name)}
    return (np.concatenate([tensor.detach().numpy().ravel() for tensor in tensors.values()]),
            np.concatenate([kept[f"{name}.weight"].numpy().ravel() for name in tensors]))
