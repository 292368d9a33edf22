"""Published accuracies of one-shot pruning, to show beside measured ones."""

from collections.abc import Mapping
from dataclasses import dataclass

SOURCE = (
    "Benbaki et al. 2023 (CHITA); MP is global magnitude, WoodFisher and CBS are as in "
    "Yu et al. 2022 (CBS)"
)


@dataclass(frozen=True)
class PublishedOneShot:
    """Accuracies of one network after one-shot pruning, without retraining.

    Parameters
    ----------
    network, dataset : str
        Names in ``NETWORKS`` and ``DATASETS``.
    dense : float
        Test accuracy of the published network before pruning.
    sparsities : tuple of float
        Shares of the weights that take part.
    accuracies : mapping of str to tuple of float
        Test accuracies by method, one for each sparsity.
    kept_layers : tuple of str
        Layers that do not take part.
    """

    network: str
    dataset: str
    dense: float
    sparsities: tuple[float, ...]
    accuracies: Mapping[str, tuple[float, ...]]
    kept_layers: tuple[str, ...] = ()


PUBLISHED_ONE_SHOT = (
    PublishedOneShot(
        network="resnet20",
        dataset="cifar10",
        dense=0.9136,
        sparsities=(0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
        accuracies={
            "MP": (0.9077, 0.8998, 0.8844, 0.8524, 0.7879, 0.5401, 0.1179),
            "WoodFisher": (0.9137, 0.9115, 0.9023, 0.8796, 0.8105, 0.6263, 0.1149),
            "CBS": (0.9135, 0.9121, 0.9058, 0.8888, 0.8184, 0.5128, 0.1368),
            "CHITA": (0.9137, 0.9119, 0.9060, 0.8922, 0.8412, 0.5790, 0.1560),
            "CHITA++": (0.9125, 0.9120, 0.9104, 0.9078, 0.9038, 0.8872, 0.7932),
        },
        kept_layers=("block2_0.shortcut.conv", "block3_0.shortcut.conv"),
    ),
    PublishedOneShot(
        network="mlpnet",
        dataset="mnist",
        dense=0.9397,
        sparsities=(0.5, 0.7, 0.8, 0.9, 0.95, 0.98),
        accuracies={
            "MP": (0.9393, 0.9362, 0.9289, 0.9030, 0.8364, 0.3225),
            "WoodFisher": (0.9402, 0.9377, 0.9357, 0.9169, 0.8554, 0.3826),
            "CBS": (0.9396, 0.9398, 0.9390, 0.9314, 0.8892, 0.5545),
            "CHITA": (0.9397, 0.9380, 0.9359, 0.9246, 0.8809, 0.4625),
            "CHITA++": (0.9597, 0.9589, 0.9580, 0.9555, 0.9470, 0.9073),
        },
    ),
)


def published_one_shot(network: str, dataset: str) -> PublishedOneShot | None:
    """Return the published accuracies of a network on a dataset.

    Parameters
    ----------
    network, dataset : str
        Names in ``NETWORKS`` and ``DATASETS``.

    Returns
    -------
    PublishedOneShot or None
        None if there are none.
    """
    for published in PUBLISHED_ONE_SHOT:
        if (published.network, published.dataset) == (network, dataset):
            return published
    return None
