"""The three LeNets of the pruning literature, and MLPNet.

Max-pooling precedes the ReLU: the two commute, and the ReLU then processes a quarter of the values.
"""

from collections import OrderedDict

from torch import nn

from pruning.models.base import network


@network(
    "lenet300",
    label="LeNet-300-100",
    source="LeCun et al. 1998; fully connected, 300 and 100 hidden units",
)
def lenet300(channels: int, size: int, classes: int) -> nn.Sequential:
    """Build LeNet-300-100.

    Parameters
    ----------
    channels, size, classes
        See `pruning.models.build`.

    Returns
    -------
    nn.Sequential
        The network.
    """
    return nn.Sequential(
        OrderedDict(
            flatten=nn.Flatten(),
            fc1=nn.Linear(channels * size * size, 300),
            relu1=nn.ReLU(),
            fc2=nn.Linear(300, 100),
            relu2=nn.ReLU(),
            fc3=nn.Linear(100, classes),
        )
    )


@network(
    "lenet5",
    label="LeNet-5",
    source="LeCun et al. 1998; ReLU and max-pooling, first convolution padded by 2",
)
def lenet5(channels: int, size: int, classes: int) -> nn.Sequential:
    """Build LeNet-5.

    Parameters
    ----------
    channels, size, classes
        See `pruning.models.build`.

    Returns
    -------
    nn.Sequential
        The network.
    """
    side = (size // 2 - 4) // 2  # 5 for 28 pixels, 6 for 32
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(channels, 6, 5, padding=2),
            pool1=nn.MaxPool2d(2),
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(6, 16, 5),
            pool2=nn.MaxPool2d(2),
            relu2=nn.ReLU(),
            flatten=nn.Flatten(),
            fc1=nn.Linear(16 * side * side, 120),
            relu3=nn.ReLU(),
            fc2=nn.Linear(120, 84),
            relu4=nn.ReLU(),
            fc3=nn.Linear(84, classes),
        )
    )


@network(
    "lenet5-caffe",
    label="LeNet-5-Caffe",
    source="the LeNet of Caffe and of Han et al. 2015; 20-50-500-10, no padding",
)
def lenet5_caffe(channels: int, size: int, classes: int) -> nn.Sequential:
    """Build LeNet-5-Caffe.

    Parameters
    ----------
    channels, size, classes
        See `pruning.models.build`.

    Returns
    -------
    nn.Sequential
        The network.
    """
    side = ((size - 4) // 2 - 4) // 2  # 4 for 28 pixels, 5 for 32
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(channels, 20, 5),
            pool1=nn.MaxPool2d(2),
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(20, 50, 5),
            pool2=nn.MaxPool2d(2),
            relu2=nn.ReLU(),
            flatten=nn.Flatten(),
            fc1=nn.Linear(50 * side * side, 500),
            relu3=nn.ReLU(),
            fc2=nn.Linear(500, classes),
        )
    )


@network(
    "mlpnet",
    label="MLPNet",
    source="Singh and Alistarh 2020 (WoodFisher); 784-40-20-10, fully connected, no biases",
)
def mlpnet(channels: int, size: int, classes: int) -> nn.Sequential:
    """Build MLPNet.

    Parameters
    ----------
    channels, size, classes
        See `pruning.models.build`.

    Returns
    -------
    nn.Sequential
        The network.
    """
    return nn.Sequential(
        OrderedDict(
            flatten=nn.Flatten(),
            fc1=nn.Linear(channels * size * size, 40, bias=False),
            relu1=nn.ReLU(),
            fc2=nn.Linear(40, 20, bias=False),
            relu2=nn.ReLU(),
            fc3=nn.Linear(20, classes, bias=False),
        )
    )
