"""A small network that is not registered, trained on 8x8 digits, and its data."""

from collections.abc import Iterator

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from tests.small_network import SmallNetwork


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
