"""A network that is not registered, for tests of networks of users."""

import torch
from torch import nn
from torch.nn import functional as F


class SmallNetwork(nn.Module):
    """Depthwise and grouped convolutions, an addition, a gate, and one ReLU object for all."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.depthwise = nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.grouped = nn.Conv2d(16, 16, 3, padding=1, groups=4)
        self.gate = nn.Conv2d(16, 16, 1)
        self.hidden = nn.Linear(64, 32)
        self.last = nn.Linear(32, 10)
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.norm(self.stem(x)))
        x = self.relu(x + self.grouped(self.relu(self.depthwise(x))))
        x = x * torch.sigmoid(self.gate(F.adaptive_avg_pool2d(x, 1)))
        x = F.max_pool2d(x, 4)
        return self.last(self.relu(self.hidden(x.view(x.size(0), -1))))
