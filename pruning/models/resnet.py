"""Residual networks for small images: 6n + 2 layers with 1x1 projection shortcuts (He et al. 2016, option B)."""

from collections import OrderedDict

import torch
from torch import nn

from pruning.models.base import network


class Add(nn.Module):
    """The addition, as a module like every other step, so that hooks see what is added."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return a + b


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: the identity, or a 1x1 convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        self.sum = Add()
        self.relu2 = nn.ReLU()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                OrderedDict(
                    conv=nn.Conv2d(inputs, outputs, 1, stride, bias=False),
                    bn=nn.BatchNorm2d(outputs),
                )
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu1(self.bn1(self.conv1(x)))
        return self.relu2(self.sum(self.bn2(self.conv2(y)), self.shortcut(x)))


def resnet(depth: int, channels: int, classes: int) -> nn.Sequential:
    stages = OrderedDict(
        conv1=nn.Conv2d(channels, 16, 3, padding=1, bias=False),
        bn1=nn.BatchNorm2d(16),
        relu1=nn.ReLU(),
    )
    inputs = 16
    for group, outputs in enumerate((16, 32, 64), start=1):
        for i in range((depth - 2) // 6):
            stages[f"block{group}_{i}"] = ResidualBlock(
                inputs, outputs, stride=2 if group > 1 and i == 0 else 1
            )
            inputs = outputs
    stages |= OrderedDict(
        pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), fc=nn.Linear(inputs, classes)
    )
    model = nn.Sequential(stages)
    for m in model.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight)
    return model


@network(
    "resnet20",
    label="ResNet-20",
    source="He et al. 2016, for 32x32 images; projection shortcuts",
    slow=True,
)
def resnet20(channels: int, size: int, classes: int) -> nn.Sequential:
    return resnet(20, channels, classes)


@network(
    "resnet56",
    label="ResNet-56",
    source="He et al. 2016, for 32x32 images; projection shortcuts",
    slow=True,
)
def resnet56(channels: int, size: int, classes: int) -> nn.Sequential:
    return resnet(56, channels, classes)
