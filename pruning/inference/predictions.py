"""What a network predicts for single images, and how far its confidence can be trusted."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pruning.inference.accuracy import Accuracy

RELIABILITY_BINS = 15
"""As of Guo et al. 2017."""


@dataclass(frozen=True, eq=False)
class Reliability:
    """Confidence and accuracy of predictions, in bins of equal width of the confidence.

    Guo et al. (2017), "On Calibration of Modern Neural Networks".

    Parameters
    ----------
    edges : np.ndarray
        (bins + 1,) from 0 to 1; a bin holds its upper edge, not its lower one.
    counts : np.ndarray
        (bins,) number of images.
    confidence, accuracy : np.ndarray
        (bins,) means over the images of a bin; NaN where there are none.
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def expected_error(self) -> float:
        """Expected calibration error: mean of |accuracy - confidence| over the images, 0 to 1."""
        gaps = np.abs(self.accuracy - self.confidence)
        has_images = self.counts > 0
        return float((gaps[has_images] * self.counts[has_images]).sum() / self.counts.sum())


@dataclass(frozen=True, eq=False)
class Predictions:
    """Probabilities of the classes, for the first images of the test set.

    Parameters
    ----------
    probabilities : np.ndarray
        (n, classes) float32, of a softmax.
    labels : np.ndarray
        (n,) int64, true classes.
    total : int
        Images of the test set.
    """

    probabilities: np.ndarray
    labels: np.ndarray
    total: int

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def is_complete(self) -> bool:
        """Whether the predictions are of the whole test set."""
        return len(self) == self.total

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.probabilities.shape[1]

    @cached_property
    def predicted(self) -> np.ndarray:
        """(n,) int64: the class with the highest probability."""
        return self.probabilities.argmax(1)

    @cached_property
    def confidence(self) -> np.ndarray:
        """(n,) float32: the highest probability."""
        return self.probabilities.max(1)

    @cached_property
    def is_correct(self) -> np.ndarray:
        """(n,) bool: whether the predicted class is the true one."""
        return self.predicted == self.labels

    @property
    def accuracy(self) -> Accuracy:
        """Accuracy, with an interval unless the predictions are of the whole test set."""
        return Accuracy(int(self.is_correct.sum()), len(self), self.total)

    @cached_property
    def confusion(self) -> np.ndarray:
        """(classes, classes) int64: number of images by true class (row) and predicted class."""
        cells = np.bincount(self.labels * self.classes + self.predicted, minlength=self.classes**2)
        return cells.reshape(self.classes, self.classes)

    @property
    def class_accuracy(self) -> np.ndarray:
        """(classes,) float64: correct / images of each class; NaN for a class without images."""
        images = self.confusion.sum(1)
        correct = np.diag(self.confusion)
        return np.divide(correct, images, out=np.full(len(images), np.nan), where=images > 0)

    @cached_property
    def reliability(self) -> Reliability:
        """Confidence against accuracy in `RELIABILITY_BINS` bins."""
        edges = np.linspace(0, 1, RELIABILITY_BINS + 1)
        bins = np.clip(np.digitize(self.confidence, edges, right=True) - 1, 0, RELIABILITY_BINS - 1)
        counts = np.bincount(bins, minlength=RELIABILITY_BINS)
        return Reliability(
            edges,
            counts,
            _bin_means(bins, self.confidence, counts),
            _bin_means(bins, self.is_correct, counts),
        )

    def first(self, count: int) -> "Predictions":
        """Return the predictions for the first images.

        Parameters
        ----------
        count : int
            Number of images.

        Returns
        -------
        Predictions
            At most those that there are.
        """
        return Predictions(self.probabilities[:count], self.labels[:count], self.total)


def _bin_means(bins: np.ndarray, values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    sums = np.bincount(bins, values.astype(np.float64), minlength=RELIABILITY_BINS)
    return np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)


@dataclass(frozen=True, eq=False)
class PredictionChange:
    """The predictions of two networks for the same images.

    Parameters
    ----------
    before, after : Predictions
        Of the same first images of the test set.
    """

    before: Predictions
    after: Predictions

    @cached_property
    def confidence_lost(self) -> np.ndarray:
        """(n,) float32: what the class that was predicted before has lost in probability."""
        rows = np.arange(len(self.before))
        return self.before.confidence - self.after.probabilities[rows, self.before.predicted]

    @cached_property
    def flipped(self) -> np.ndarray:
        """(m,) int64: images whose predicted class has changed, most confidence lost first."""
        indices = np.flatnonzero(self.before.predicted != self.after.predicted)
        order = np.argsort(-self.confidence_lost[indices], kind="stable")
        return indices[order]

    @property
    def lost(self) -> np.ndarray:
        """(n,) bool: images that only the first network classifies correctly."""
        return self.before.is_correct & ~self.after.is_correct

    @property
    def gained(self) -> np.ndarray:
        """(n,) bool: images that only the second network classifies correctly."""
        return self.after.is_correct & ~self.before.is_correct
