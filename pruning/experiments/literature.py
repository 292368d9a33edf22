"""Published results, to lay beside measured ones; each says where it is from and what differs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """``accuracy`` at a ``compression`` (all parameters / parameters left) or at a share of the dense ``macs`` left, of a
    network whose dense accuracy was ``base``."""

    network: str
    dataset: str
    method: str
    accuracy: float
    base: float
    source: str
    remark: str
    compression: float | None = None
    macs: float | None = None


_HAN = "pruned and retrained several times; not comparable with one pruning without retraining"
_SFP = "filters, retrained while pruning"
PUBLISHED = (
    Published(
        "lenet300", "mnist", "weight", 0.9841, 0.9836, "Han et al. 2015", _HAN, compression=12.0
    ),
    Published(
        "lenet5-caffe", "mnist", "weight", 0.9923, 0.9920, "Han et al. 2015", _HAN, compression=12.0
    ),
    Published(
        "resnet20",
        "cifar10",
        "filter",
        0.9224,
        0.9220,
        "He et al. 2018 (SFP)",
        _SFP,
        macs=1 - 0.152,
    ),
    Published(
        "resnet20",
        "cifar10",
        "filter",
        0.9120,
        0.9220,
        "He et al. 2018 (SFP)",
        _SFP,
        macs=1 - 0.293,
    ),
    Published(
        "resnet20",
        "cifar10",
        "filter",
        0.9083,
        0.9220,
        "He et al. 2018 (SFP)",
        _SFP,
        macs=1 - 0.422,
    ),
)


def of(network: str, dataset: str) -> list[Published]:
    return [one for one in PUBLISHED if (one.network, one.dataset) == (network, dataset)]
