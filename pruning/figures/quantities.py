"""Quantities of an evaluation that figures put on an axis or into a hover text."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pruning.engine.evaluation import Evaluation
from pruning.methods.units import METHODS


@dataclass(frozen=True)
class Quantity:
    """A number of an evaluation.

    Parameters
    ----------
    title : str
        Title of its axis, short enough for a phone.
    value : callable
        ``value(evaluation)`` gives the number.
    """

    title: str
    value: Callable[[Evaluation], float]


def sparsity(evaluation: Evaluation) -> float:
    """Return removed / all prunable weights.

    Parameters
    ----------
    evaluation : Evaluation
        Any evaluation.

    Returns
    -------
    float
        From 0 to 1.
    """
    return evaluation.sparsity


def removed(evaluation: Evaluation) -> float:
    """Return the sparsity; for units without weights, such as pixels, the share of units removed.

    Parameters
    ----------
    evaluation : Evaluation
        Any evaluation.

    Returns
    -------
    float
        From 0 to 1.
    """
    return evaluation.removed


def effective_parameters(evaluation: Evaluation) -> float:
    """Return effective parameters / all parameters of the dense network.

    Parameters
    ----------
    evaluation : Evaluation
        Any evaluation.

    Returns
    -------
    float
        From 0 to 1, or slightly more after a refit.
    """
    return evaluation.effective.parameters / evaluation.dense.parameters


def effective_macs(evaluation: Evaluation) -> float:
    """Return effective MACs / MACs of the dense network.

    Parameters
    ----------
    evaluation : Evaluation
        Any evaluation.

    Returns
    -------
    float
        From 0 to 1, or slightly more after a refit.
    """
    return evaluation.effective.macs / evaluation.dense.macs


def effective_compression(evaluation: Evaluation) -> float:
    """Return all parameters / effective parameters.

    Parameters
    ----------
    evaluation : Evaluation
        Any evaluation.

    Returns
    -------
    float
        At most the number of parameters.
    """
    return evaluation.effective_compression


def accuracy(evaluation: Evaluation) -> float:
    """Return correct / classified images.

    Parameters
    ----------
    evaluation : Evaluation
        Any evaluation.

    Returns
    -------
    float
        From 0 to 1.
    """
    return evaluation.accuracy.value


def loss(evaluation: Evaluation) -> float:
    """Return the mean cross-entropy.

    Parameters
    ----------
    evaluation : Evaluation
        Any evaluation.

    Returns
    -------
    float
        Nats.
    """
    return evaluation.loss


SPARSITY = Quantity("sparsity of prunable weights", sparsity)
EFFECTIVE_PARAMETERS = Quantity("effective parameters (of dense)", effective_parameters)
EFFECTIVE_MACS = Quantity("effective MACs (of dense)", effective_macs)
EFFECTIVE_COMPRESSION = Quantity("effective compression ratio", effective_compression)
ACCURACY = Quantity("test accuracy", accuracy)
LOSS = Quantity("test loss (cross-entropy, nats)", loss)


def removed_quantity(methods: Iterable[str]) -> Quantity:
    """Return the share that was removed, with a title that says of what.

    Parameters
    ----------
    methods : iterable of str
        Methods of the evaluations in a figure, names in ``METHODS``.

    Returns
    -------
    Quantity
        The sparsity, unless units without weights are removed.
    """
    names = dict.fromkeys(methods)
    weightless = [METHODS[name].label.lower() for name in names if not METHODS[name].has_weights]
    if not weightless:
        return Quantity(SPARSITY.title, removed)
    counted = weightless
    if len(weightless) < len(names):
        counted = ["weights", *weightless]
    return Quantity(f"share of {' or '.join(counted)} removed", removed)
