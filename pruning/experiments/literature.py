"""Published results, to show beside measured ones, with their source and what differs."""

from dataclasses import dataclass

HAN_REMARK = (
    "pruned and retrained several times; not comparable with one pruning without retraining"
)
SFP_REMARK = "filters, retrained while pruning"


@dataclass(frozen=True)
class PublishedResult:
    """One published accuracy.

    Parameters
    ----------
    network, dataset, method : str
        Names in ``NETWORKS``, ``DATASETS`` and ``METHODS``.
    accuracy, base : float
        Test accuracy after pruning, and of the same network before.
    source, remark : str
        Where it was published, and what differs from a measurement here.
    compression : float, optional
        All parameters / parameters left.
    macs : float, optional
        MACs left, as a share of the dense network's.
    """

    network: str
    dataset: str
    method: str
    accuracy: float
    base: float
    source: str
    remark: str
    compression: float | None = None
    macs: float | None = None


def _han(network: str, accuracy: float, base: float, compression: float) -> PublishedResult:
    return PublishedResult(
        network,
        "mnist",
        "weight",
        accuracy,
        base,
        source="Han et al. 2015",
        remark=HAN_REMARK,
        compression=compression,
    )


def _sfp(accuracy: float, removed_macs: float) -> PublishedResult:
    return PublishedResult(
        "resnet20",
        "cifar10",
        "filter",
        accuracy,
        base=0.9220,
        source="He et al. 2018 (SFP)",
        remark=SFP_REMARK,
        macs=1 - removed_macs,
    )


PUBLISHED = (
    _han("lenet300", 0.9841, 0.9836, compression=12.0),
    _han("lenet5-caffe", 0.9923, 0.9920, compression=12.0),
    _sfp(0.9224, removed_macs=0.152),
    _sfp(0.9120, removed_macs=0.293),
    _sfp(0.9083, removed_macs=0.422),
)


def results_for(network: str, dataset: str) -> list[PublishedResult]:
    """Return the published results of a network on a dataset.

    Parameters
    ----------
    network, dataset : str
        Names in ``NETWORKS`` and ``DATASETS``.

    Returns
    -------
    list of PublishedResult
        May be empty.
    """
    return [
        result for result in PUBLISHED if (result.network, result.dataset) == (network, dataset)
    ]
