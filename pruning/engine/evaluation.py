"""Accuracy and cost of a recipe."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pruning.cost.macs import Cost, CostByLayer, dense_cost
from pruning.data import datasets
from pruning.engine.prune import prune
from pruning.engine.trained_network import trained_card
from pruning.inference.accuracy import Accuracy, Tally
from pruning.inference.paired_test import PairedTest, paired_test
from pruning.methods.units import METHODS
from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_to_dict


@dataclass(frozen=True)
class Evaluation:
    """What a recipe costs and reaches on the first images of a split.

    Parameters
    ----------
    recipe : Recipe
        The recipe.
    split : str
        ``"test"``, or ``"validation"`` where something is chosen by the result.
    tally : Tally
        Result of the images that were classified so far.
    total : int
        Number of images in the split.
    sparsity : float
        Removed / all prunable weights of the dense network, as achieved.
    removed_share : float
        Units removed by the last step / units that took part in it.
    masked : Cost
        Cost of what the masks keep.
    known_effective : Cost, optional
        Cost of what is connected to both the image and the logits, if it is known already.
    recovery_seconds : float, optional
        Duration of the recovery, when it was computed; None without a recovery.
    dense_tally : Tally, optional
        Result of the network before pruning on the same images, if it was evaluated, too.
    """

    recipe: Recipe
    split: str
    tally: Tally
    total: int
    sparsity: float
    removed_share: float
    masked: Cost
    known_effective: Cost | None = field(default=None, compare=False)
    recovery_seconds: float | None = field(default=None, compare=False)
    dense_tally: Tally | None = field(default=None, compare=False)

    @property
    def change(self) -> PairedTest | None:
        """The network before pruning against this one; None if only counts are known."""
        if self.dense_tally is None:
            return None
        return paired_test(self.dense_tally, self.tally)

    @property
    def effective(self) -> Cost:
        """Cost of what is connected to both the image and the logits.

        If it is not known, the recipe is pruned again, which uses its cached scores and masks.
        """
        return self.known_effective or prune(self.recipe).effective

    @property
    def accuracy(self) -> Accuracy:
        """Correct / classified images, with its interval while it is an estimate."""
        return self.tally.accuracy(self.total)

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats."""
        return self.tally.mean_loss

    @property
    def dense(self) -> CostByLayer:
        """Cost of the dense network."""
        return dense_cost(self.recipe.network, self.recipe.dataset)

    @property
    def dense_accuracy(self) -> float:
        """Accuracy of the dense network on the full test set, from the card of its checkpoint."""
        card = trained_card(self.recipe)
        return card.test_accuracy

    @property
    def masked_compression(self) -> float:
        """All parameters / parameters that the masks keep."""
        return self.dense.parameters / max(1, self.masked.parameters)

    @property
    def effective_compression(self) -> float:
        """All parameters / effective parameters."""
        return self.dense.parameters / max(1, self.effective.parameters)

    @property
    def removed(self) -> float:
        """Sparsity; for units without weights, such as pixels, the share of units removed."""
        has_weights = METHODS[self.recipe.last_step.method].has_weights
        return self.sparsity if has_weights else self.removed_share

    def class_accuracy(self) -> np.ndarray:
        """Return correct / total of each class, of the images that were classified.

        Returns
        -------
        np.ndarray
            (classes,) float64.
        """
        labels = datasets.load(self.recipe.dataset, self.split).labels[: self.tally.images]
        correct = np.array(self.tally.class_correct)
        totals = np.bincount(labels.numpy(), minlength=len(correct))
        return correct / np.maximum(1, totals)

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON values: the recipe and every number.

        Returns
        -------
        dict
            Parameters, MACs and compression are the effective ones.
        """
        low, high = self.accuracy.interval
        return {
            "recipe": recipe_to_dict(self.recipe),
            "sparsity": self.sparsity,
            "effective_parameters": self.effective.parameters,
            "effective_macs": self.effective.macs,
            "compression": self.effective_compression,
            "accuracy": self.accuracy.value,
            "accuracy_low": low,
            "accuracy_high": high,
            "loss": self.loss,
            "images": self.tally.images,
            "of": self.total,
        }
