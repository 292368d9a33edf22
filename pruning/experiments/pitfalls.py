"""Mistakes that tools and tutorials make, shown on real networks."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from pruning.data import datasets
from pruning.data.datasets import DATASETS, normalise
from pruning.engine.prune import prune
from pruning.experiments.predictions import predict
from pruning.inference.classify import BatchTally, classify
from pruning.recipe.recipe import Recipe
from pruning.runtime.progress import ShareReport, ignore_progress

COMPARED_IMAGES = 200
LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 0.1, 0.9, 1e-3


@dataclass(frozen=True)
class LivingBiases:
    """A network whose removed filters have kept their biases.

    Parameters
    ----------
    masked_accuracy : float
        With the biases masked, too; correct / all test images.
    accuracy : float
        With masked weights and living biases.
    masked_difference, difference : float
        Largest difference of a logit from those of the network in which the filters are removed.
    """

    masked_accuracy: float
    accuracy: float
    masked_difference: float
    difference: float


def living_biases(recipe: Recipe) -> LivingBiases:
    """Compare masks of weights alone with masks of weights and biases.

    Parameters
    ----------
    recipe : Recipe
        Removes filters or neurons.

    Returns
    -------
    LivingBiases
        On the test images.
    """
    pruned = prune(recipe)
    masked = pruned.network.masked_parameters()
    weights_only = {name: value for name, value in masked.items() if name.endswith(".weight")}
    compact = pruned.compact_model
    images = datasets.load(recipe.dataset, "test")
    inputs = normalise(images.pixels[:COMPARED_IMAGES], DATASETS[recipe.dataset])
    with torch.inference_mode():
        expected = compact(inputs)
        logits = torch.func.functional_call(pruned.model, masked, inputs)
        living = torch.func.functional_call(pruned.model, weights_only, inputs)
    return LivingBiases(
        _accuracy(pruned.model, masked, recipe.dataset),
        _accuracy(pruned.model, weights_only, recipe.dataset),
        float((logits - expected).abs().max()),
        float((living - expected).abs().max()),
    )


def _accuracy(model: nn.Module, parameters: dict[str, torch.Tensor], dataset: str) -> float:
    images = datasets.load(dataset, "test")
    correct = 0
    for item in classify(model, [parameters], images, DATASETS[dataset]):
        if isinstance(item, BatchTally):
            correct += item.tally.correct
    return correct / len(images)


@dataclass(frozen=True)
class SparsityCount:
    """A way to count sparsity.

    Parameters
    ----------
    name : str
        What is divided by what.
    removed, total : int
        Numerator and denominator.
    """

    name: str
    removed: int
    total: int

    @property
    def share(self) -> float:
        """Removed / total."""
        return self.removed / self.total


def sparsity_counts(recipe: Recipe) -> tuple[SparsityCount, ...]:
    """Count the sparsity of one pruned network in several ways.

    Parameters
    ----------
    recipe : Recipe
        Any recipe.

    Returns
    -------
    tuple of SparsityCount
        The way of this program first.
    """
    pruned = prune(recipe)
    weights = pruned.dense.prunable_weights
    removed = weights - sum(pruned.kept_weights.values())
    parameters = pruned.dense.parameters
    compact = pruned.compact_model.state_dict()
    matrices = [tensor for tensor in compact.values() if tensor.dim() > 1]
    remaining = sum(tensor.numel() for tensor in matrices)
    zeros = sum(int((tensor == 0).sum()) for tensor in matrices)
    return (
        SparsityCount("removed weights / all prunable weights", removed, weights),
        SparsityCount(
            "removed parameters / all parameters, biases included",
            parameters - pruned.masked.parameters,
            parameters,
        ),
        SparsityCount("removed units / units that take part", *_units(recipe)),
        SparsityCount(
            "weights that the network after removal does not have / all prunable weights",
            weights - remaining,
            weights,
        ),
        SparsityCount("zeros / weights of the network after removal", zeros, max(1, remaining)),
    )


def _units(recipe: Recipe) -> tuple[int, int]:
    pruned = prune(recipe)
    return pruned.removed_units, max(1, pruned.ranking.units)


@dataclass(frozen=True, eq=False)
class Revival:
    """Number of pruned weights that are not zero, after every step of an optimizer.

    Parameters
    ----------
    pruned : int
        Number of pruned weights.
    alive : dict of str to np.ndarray
        (steps + 1,) int64 by what was masked.
    """

    pruned: int
    alive: dict[str, np.ndarray]


def revive_weights(steps: int = 30, share: float = 0.8) -> Revival:
    """Train a pruned linear classifier of the digits in three ways.

    Parameters
    ----------
    steps : int
        Steps after pruning.
    share : float
        Share of the weights that is pruned, by magnitude.

    Returns
    -------
    Revival
        With SGD, momentum 0.9 and weight decay: masked once; with masked gradients only; and with
        the mask applied again after every step.
    """
    alive = {}
    masked: dict[str, tuple[bool, bool]] = {
        "weights set to zero once": (False, False),
        "gradients masked": (True, False),
        "mask applied after every step": (False, True),
    }
    pruned = 0
    for name, (masks_gradient, masks_weights) in masked.items():
        trained = _Classifier(steps)
        mask = trained.prune(share)
        pruned = int((~mask).sum())
        counts = [trained.alive(mask)]
        for _ in range(steps):
            trained.step(mask if masks_gradient else None)
            if masks_weights:
                trained.apply(mask)
            counts.append(trained.alive(mask))
        alive[name] = np.array(counts)
    return Revival(pruned, alive)


class _Classifier:
    """A linear classifier of the digits, trained for some steps."""

    def __init__(self, steps: int) -> None:
        images = datasets.load("digits", "train")
        self._inputs = normalise(images.pixels, DATASETS["digits"]).flatten(1)
        self._labels = images.labels
        self.weight = torch.zeros(10, self._inputs.shape[1], requires_grad=True)
        self._optimizer = torch.optim.SGD(
            [self.weight], LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY
        )
        for _ in range(steps):
            self.step(None)

    def step(self, gradient_mask: torch.Tensor | None) -> None:
        self._optimizer.zero_grad()
        loss = F.cross_entropy(self._inputs @ self.weight.T, self._labels)
        loss.backward()
        if gradient_mask is not None:
            assert self.weight.grad is not None
            self.weight.grad *= gradient_mask
        self._optimizer.step()

    def prune(self, share: float) -> torch.Tensor:
        """Set the smallest weights to zero, and return which are kept."""
        magnitudes = self.weight.detach().abs().flatten()
        order = magnitudes.argsort(stable=True)
        mask = torch.ones(len(order), dtype=torch.bool)
        mask[order[: round(share * len(order))]] = False
        mask = mask.view_as(self.weight)
        self.apply(mask)
        return mask

    def apply(self, mask: torch.Tensor) -> None:
        with torch.no_grad():
            self.weight *= mask

    def alive(self, mask: torch.Tensor) -> int:
        """Number of pruned weights that are not zero."""
        return int((self.weight.detach()[~mask] != 0).sum())


@dataclass(frozen=True, eq=False)
class BestSeed:
    """The best of several random prunings, chosen by the first test images.

    Parameters
    ----------
    reported : float
        Accuracy of the chosen one on the images by which it was chosen.
    others : float
        Its accuracy on all other test images.
    mean : float
        Mean accuracy of all seeds on these other images.
    other_images : int
        Their number.
    """

    reported: float
    others: float
    mean: float
    other_images: int


def best_seed(
    recipe: Recipe, seeds: int, images: int, report: ShareReport = ignore_progress
) -> BestSeed:
    """Prune at random several times, and choose the best by the first test images.

    Parameters
    ----------
    recipe : Recipe
        With a random criterion.
    seeds : int
        Number of seeds, from 0.
    images : int
        Number of the test images by which one is chosen; less than all.
    report : callable
        Called with the share that is done.

    Returns
    -------
    BestSeed
        Of several best ones the first.
    """
    recipes = [replace(recipe, seed=seed) for seed in range(seeds)]
    hits = []
    for index, each in enumerate(recipes):
        hits.append(predict([each]).predictions[0].is_correct)
        report((index + 1) / seeds)
    correct = np.array(hits)  # (seeds, test images)
    chosen_by, others = correct[:, :images].mean(1), correct[:, images:].mean(1)
    best = int(chosen_by.argmax())
    return BestSeed(
        float(chosen_by[best]), float(others[best]), float(others.mean()), correct.shape[1] - images
    )
