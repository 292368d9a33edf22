"""Residual networks for small images (He et al. 2016, section 4.2).

They have 6n + 2 layers and, where the shape changes, 1x1 projection shortcuts (option B).
"""

from collections import OrderedDict

from torch import nn

from pruning.models.base import network
from pruning.models.blocks import ResidualBlock


@network(
    "resnet20",
    label="ResNet-20",
    source="He et al. 2016, for 32x32 images; projection shortcuts",
    slow=True,
    residual=True,
)
def resnet20(channels: int, size: int, classes: int) -> nn.Sequential:
    """Build ResNet-20, which accepts images of any size.

    Parameters
    ----------
    channels, size, classes
        See `pruning.models.build`.

    Returns
    -------
    nn.Sequential
        The network.
    """
    return _resnet(20, channels, classes)


@network(
    "resnet56",
    label="ResNet-56",
    source="He et al. 2016, for 32x32 images; projection shortcuts",
    slow=True,
    residual=True,
)
def resnet56(channels: int, size: int, classes: int) -> nn.Sequential:
    """Build ResNet-56, which accepts images of any size.

    Parameters
    ----------
    channels, size, classes
        See `pruning.models.build`.

    Returns
    -------
    nn.Sequential
        The network.
    """
    return _resnet(56, channels, classes)


def _resnet(depth: int, channels: int, classes: int) -> nn.Sequential:
    """Build three groups of (depth - 2) / 6 residual blocks with 16, 32 and 64 channels."""
    blocks_per_group = (depth - 2) // 6
    stages: OrderedDict[str, nn.Module] = OrderedDict()
    stages["conv1"] = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
    stages["bn1"] = nn.BatchNorm2d(16)
    stages["relu1"] = nn.ReLU()
    inputs = 16
    for group, outputs in enumerate((16, 32, 64), start=1):
        for index in range(blocks_per_group):
            halves_resolution = group > 1 and index == 0
            stride = 2 if halves_resolution else 1
            stages[f"block{group}_{index}"] = ResidualBlock(inputs, outputs, stride)
            inputs = outputs
    stages["pool"] = nn.AdaptiveAvgPool2d(1)
    stages["flatten"] = nn.Flatten()
    stages["fc"] = nn.Linear(inputs, classes)
    model = nn.Sequential(stages)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return model
