import pytest

from pruning.data import datasets
from pruning.data.datasets import Images


@pytest.fixture
def few_images(monkeypatch):
    """Splits of 64 images, for networks that are slow to train."""
    plain = datasets.load

    def load(name: str, split: str) -> Images:
        images = plain(name, split)
        return Images(images.pixels[:64], images.labels[:64])

    monkeypatch.setattr(datasets, "load", load)
