"""A small network of nobody's registry, trained on 8x8 digits, and its data."""

from collections.abc import Iterator

import pytest
import torch
from sklearn.datasets import load_digits
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


@pytest.fixture(scope="session")
def digits() -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = load_digits(return_X_y=True)
    pixels = torch.tensor(images, dtype=torch.float32).view(-1, 1, 8, 8) / 16
    return pixels, torch.tensor(labels)


@pytest.fixture(scope="session")
def trained(digits) -> nn.Module:
    torch.manual_seed(0)
    model, (x, y) = SmallNetwork(), digits
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(6):
        for batch in torch.randperm(len(x)).split(128):
            loss = F.cross_entropy(model(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model.eval()


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch) -> Iterator[None]:
    """Runs and results of a test in its own folder."""
    monkeypatch.setenv("PRUNESCOPE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("PRUNESCOPE_STORE", str(tmp_path / "store.sqlite"))
    yield
