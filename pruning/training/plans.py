"""Settings of the training of the shipped networks."""

from dataclasses import dataclass

from pruning.data.datasets import DATASETS
from pruning.models import NETWORKS


@dataclass(frozen=True)
class TrainingPlan:
    """Settings of SGD with Nesterov momentum and a one-cycle learning rate (Smith & Topin 2018).

    Parameters
    ----------
    epochs
        Number of passes over the training images.
    learning_rate
        Peak of the learning rate.
    batch_size
        Images of a step.
    weight_decay
        L2 penalty.
    max_shift
        Each image is shifted by up to this number of pixels, vertically and horizontally.
    flip
        Whether half of the images are mirrored horizontally.
    seed
        Seed of the initial weights, the order of the images and the augmentation.
    """

    epochs: int
    learning_rate: float = 0.1
    batch_size: int = 128
    weight_decay: float = 5e-4
    max_shift: int = 2
    flip: bool = False
    seed: int = 0


PLAIN_PLANS = {
    "digits": TrainingPlan(epochs=150, learning_rate=0.05, batch_size=64),
    "mnist": TrainingPlan(epochs=30, learning_rate=0.1),
    "cifar10": TrainingPlan(epochs=50, learning_rate=0.05, max_shift=4, flip=True),
}
RESIDUAL_PLANS = {
    "digits": TrainingPlan(epochs=60, learning_rate=0.1, batch_size=64),
    "mnist": TrainingPlan(epochs=10, learning_rate=0.1),
    "cifar10": TrainingPlan(epochs=50, learning_rate=0.2, max_shift=4, flip=True),
}


OTHER_PLAIN_PLAN = TrainingPlan(epochs=50, learning_rate=0.05)
OTHER_RESIDUAL_PLAN = TrainingPlan(epochs=50, learning_rate=0.1)
"""Plans for datasets without an entry above."""


def default_plan(network: str, dataset: str) -> TrainingPlan:
    """Return the settings of the shipped checkpoints, or usual ones for other datasets.

    Parameters
    ----------
    network, dataset
        Keys of ``NETWORKS`` and ``DATASETS``.

    Returns
    -------
    TrainingPlan
        The settings, by dataset and by whether the network is residual.

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    name = DATASETS[dataset].name
    if NETWORKS[network].residual:
        return RESIDUAL_PLANS.get(name, OTHER_RESIDUAL_PLAN)
    return PLAIN_PLANS.get(name, OTHER_PLAIN_PLAN)
