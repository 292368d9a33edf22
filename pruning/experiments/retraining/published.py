"""Published results of pruning with retraining, to show beside measured ones."""

from dataclasses import dataclass

from pruning.experiments.literature import PublishedResult, results_for


@dataclass(frozen=True)
class PublishedError:
    """Test error of a network of which single weights were removed.

    Parameters
    ----------
    network : str
        Name in ``NETWORKS``; on MNIST.
    compression : float
        All weights / weights left.
    error : float
        Test error, from 0 to 1.
    source : str
        Where it was published.
    """

    network: str
    compression: float
    error: float
    source: str


HAN = "Han et al. 2015"
SNIP = "SNIP: Lee et al. 2019"
DNS = "DNS: Guo et al. 2016"
GSM = "GSM: Ding et al. 2019"
SPARSE_VD = "sparse variational dropout: Molchanov et al. 2017"

LENET_RECORDS = (
    PublishedError("lenet300", 12, 0.016, HAN),
    PublishedError("lenet300", 20, 0.016, SNIP),
    PublishedError("lenet300", 50, 0.024, SNIP),
    PublishedError("lenet300", 56, 0.020, DNS),
    PublishedError("lenet300", 60, 0.0182, GSM),
    PublishedError("lenet300", 68, 0.0192, SPARSE_VD),
    PublishedError("lenet5-caffe", 12, 0.008, HAN),
    PublishedError("lenet5-caffe", 50, 0.008, SNIP),
    PublishedError("lenet5-caffe", 100, 0.011, SNIP),
    PublishedError("lenet5-caffe", 111, 0.0091, DNS),
    PublishedError("lenet5-caffe", 280, 0.0075, SPARSE_VD),
    PublishedError("lenet5-caffe", 300, 0.0094, GSM),
)


@dataclass(frozen=True)
class PublishedArchitecture:
    """What structured pruning left of LeNet-5-Caffe on MNIST.

    Parameters
    ----------
    conv1, conv2 : int
        Filters left, of 20 and 50.
    inputs : int
        Inputs of the first linear layer left, of 800.
    fc1 : int
        Hidden units left, of 500.
    error : float
        Test error, from 0 to 1.
    source : str
        Where it was published.
    """

    conv1: int
    conv2: int
    inputs: int
    fc1: int
    error: float
    source: str


LENET5_CAFFE_UNITS = (
    PublishedArchitecture(3, 18, 284, 283, 0.009, "SBP: Neklyudov et al. 2017"),
    PublishedArchitecture(5, 10, 76, 16, 0.010, "BC-GHS: Louizos et al. 2017"),
    PublishedArchitecture(9, 18, 65, 25, 0.010, "L0-sep: Louizos et al. 2018"),
)


@dataclass(frozen=True)
class PublishedFinetuning:
    """ResNet-20 on CIFAR-10 after one-shot pruning of weights and 10 epochs of fine-tuning.

    Parameters
    ----------
    density : float
        Share of the weights left.
    accuracy : float
        Test accuracy, median of three runs.
    """

    density: float
    accuracy: float


RENDA_DENSE = 0.9171
"""Test accuracy of the dense network."""
RENDA = (
    PublishedFinetuning(0.41, 0.9124),
    PublishedFinetuning(0.21, 0.8930),
    PublishedFinetuning(0.107, 0.8501),
)


DISTILLER_MACS = 40_813_184
"""MACs of its dense ResNet-20."""


def _distiller(accuracy: float, macs: int) -> PublishedResult:
    return PublishedResult(
        "resnet20",
        "cifar10",
        "filter",
        accuracy,
        base=0.9178,
        source="Distiller (AGP)",
        remark="filters, pruned gradually while training",
        macs=macs / DISTILLER_MACS,
    )


def resnet20_filters() -> list[PublishedResult]:
    """Return published accuracies of ResNet-20 on CIFAR-10 with fewer filters.

    Returns
    -------
    list of PublishedResult
        With the share of the MACs left.
    """
    sfp = [result for result in results_for("resnet20", "cifar10") if result.method == "filter"]
    return [*sfp, _distiller(0.9134, 30_660_000), _distiller(0.9089, 24_720_000)]
