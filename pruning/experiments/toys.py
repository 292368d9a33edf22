"""Small examples that can be checked by hand: a matrix, a squared error, penalties on weights."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pruning.methods.ranking import Ranking, SortedScores
from pruning.methods.rules import RULES

TOY_SHAPE = (4, 6)
GROUP = "toy"
NEAR_ZERO = 1e-3
"""Weights that are smaller in magnitude count as zero."""
PENALTIES = tuple(np.geomspace(1e-3, 10, 9).tolist())


def toy_matrix() -> np.ndarray:
    """Return the weights of a layer with 6 inputs and 4 outputs.

    Returns
    -------
    np.ndarray
        (4, 6) float32: normally distributed but for one large weight, two decimals.
    """
    weights = np.random.default_rng(2).normal(0, 0.5, TOY_SHAPE).round(2)
    weights[1, 3] = 2.4
    return weights.astype(np.float32)


def toy_ranking(weights: np.ndarray) -> Ranking:
    """Rank the weights of one layer by magnitude.

    Parameters
    ----------
    weights : np.ndarray
        Weights of any shape.

    Returns
    -------
    Ranking
        Of one group.
    """
    magnitudes = np.abs(weights).ravel().astype(np.float32)
    order = np.argsort(magnitudes, kind="stable")
    scores = SortedScores(order, magnitudes[order], weights.shape, std=float(weights.std()))
    return Ranking({GROUP: scores})


@dataclass(frozen=True, eq=False)
class ToySelection:
    """What a rule removes from the toy matrix.

    Parameters
    ----------
    removed : np.ndarray
        Mask of the shape of the weights, bool.
    threshold : float
        All weights of a smaller magnitude are removed; NaN for a pattern.
    """

    removed: np.ndarray
    threshold: float


def select_toy(weights: np.ndarray, rule: str, value: float | str) -> ToySelection:
    """Apply a rule to weights.

    Parameters
    ----------
    weights : np.ndarray
        Weights of any shape.
    rule : str
        Name in ``RULES``.
    value : float or str
        Value of the rule.

    Returns
    -------
    ToySelection
        What it removes.
    """
    ranking = toy_ranking(weights)
    selected = RULES[rule].select(ranking, value, "layer", {})[GROUP]
    removed = selected.removed(ranking[GROUP]).numpy().reshape(weights.shape)
    return ToySelection(removed, selected.threshold)


@dataclass(frozen=True, eq=False)
class SquaredError:
    """A linear neuron with a squared error, as in an exercise: L = 1/2 mean of (x w - y)^2.

    Parameters
    ----------
    inputs : np.ndarray
        (examples, weights) float64.
    targets : np.ndarray
        (examples,) float64.
    weights : np.ndarray
        (weights,) float64.
    """

    inputs: np.ndarray
    targets: np.ndarray
    weights: np.ndarray

    @property
    def loss(self) -> float:
        """The loss."""
        return self._loss_of(self.weights)

    @property
    def gradient(self) -> np.ndarray:
        """(weights,): mean of (x w - y) x."""
        errors = self.inputs @ self.weights - self.targets
        return self.inputs.T @ errors / len(errors)

    @property
    def curvature(self) -> np.ndarray:
        """(weights,): second derivatives, mean of x^2."""
        return (self.inputs**2).mean(0)

    @property
    def saliencies(self) -> dict[str, np.ndarray]:
        """Scores of the weights by the name of the criterion, and the exact change of the loss."""
        return {
            "|w|": np.abs(self.weights),
            "|g|": np.abs(self.gradient),
            "|w g|": np.abs(self.weights * self.gradient),
            "h w\N{SUPERSCRIPT TWO} / 2": self.curvature * self.weights**2 / 2,
            "exact": self.exact_change,
        }

    @property
    def exact_change(self) -> np.ndarray:
        """(weights,): loss without the weight minus the loss."""
        changes = []
        for index in range(len(self.weights)):
            without = self.weights.copy()
            without[index] = 0
            changes.append(self._loss_of(without) - self.loss)
        return np.array(changes)

    def _loss_of(self, weights: np.ndarray) -> float:
        return float(((self.inputs @ weights - self.targets) ** 2).mean() / 2)

    def trained(self, steps: int, learning_rate: float = 0.1) -> "SquaredError":
        """Train by gradient descent.

        Parameters
        ----------
        steps : int
            Number of steps.
        learning_rate : float
            Of each step.

        Returns
        -------
        SquaredError
            With other weights.
        """
        current = self
        for _ in range(steps):
            weights = current.weights - learning_rate * current.gradient
            current = SquaredError(self.inputs, self.targets, weights)
        return current


def squared_error_example() -> SquaredError:
    """Return an example with four weights that are hard to rank.

    Returns
    -------
    SquaredError
        Untrained. The inputs have different sizes, so that the largest weight is not the most
        important one.
    """
    random = np.random.default_rng(0)
    inputs = random.normal(size=(40, 4)) * np.array([2.0, 1.0, 0.5, 0.25])
    targets = inputs @ np.array([0.6, -0.9, 0.5, 1.8]) + random.normal(0, 0.1, 40)
    return SquaredError(inputs, targets, np.array([0.1, 0.1, 0.1, 0.1]))


@dataclass(frozen=True)
class PenaltyResult:
    """A classifier that was trained with a penalty.

    Parameters
    ----------
    penalty : str
        ``"L1"`` or ``"L2"``.
    strength : float
        Factor of the penalty.
    near_zero : float
        Share of the weights that count as zero.
    largest : float
        Largest magnitude of a weight.
    validation_accuracy : float
        Correct / all validation images.
    """

    penalty: str
    strength: float
    near_zero: float
    largest: float
    validation_accuracy: float


@lru_cache(maxsize=1)
def penalty_results() -> tuple[PenaltyResult, ...]:
    """Train a linear classifier of the digits 3 and 8 with L1 and with L2 penalties.

    Returns
    -------
    tuple of PenaltyResult
        For each penalty and each strength. The weights are those of scikit-learn's 8x8 pixels that
        are not the same in all images.
    """
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    images, labels = load_digits(return_X_y=True)
    is_chosen = (labels == 3) | (labels == 8)
    images, labels = images[is_chosen] / 16, labels[is_chosen]
    images = images[:, images.std(0) > 0]
    half = len(labels) // 2
    results = []
    for name, l1_ratio in (("L1", 1.0), ("L2", 0.0)):
        for strength in PENALTIES:
            model = LogisticRegression(
                l1_ratio=l1_ratio, solver="liblinear", C=1 / strength, random_state=0, max_iter=1000
            )
            model.fit(images[:half], labels[:half])
            weights = np.abs(model.coef_)
            accuracy = float(model.score(images[half:], labels[half:]))
            near_zero = float((weights < NEAR_ZERO).mean())
            results.append(PenaltyResult(name, strength, near_zero, float(weights.max()), accuracy))
    return tuple(results)
