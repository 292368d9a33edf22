"""Every page with a network and data of the owner, as the command ``app`` shows them."""

from collections.abc import Iterator

import pytest
import torch
from sklearn.datasets import load_digits

from pruning.data.datasets import DATASETS
from pruning.data.own_dataset import register_dataset
from pruning.engine.own_files import load_own, save_own
from pruning.models import NETWORKS, checkpoints
from pruning.models.own_network import register_network
from tests.pages.common import numbers, settled
from tests.pages.driver import opened_page, warning
from tests.small_network import SmallNetwork

PAGES = (
    "explore",
    "inside",
    "compare",
    "curves",
    "sensitivity",
    "agreement",
    "retrain",
    "glossary",
)


@pytest.fixture
def own(tmp_path, no_downloads) -> Iterator[tuple[str, str]]:
    """Names of a network and a dataset that are read from files and listed."""
    images, labels = load_digits(return_X_y=True)
    pixels = torch.tensor(images, dtype=torch.float32).view(-1, 1, 8, 8) / 16
    torch.manual_seed(0)
    network = register_network(SmallNetwork().eval(), (1, 8, 8), "Small network")
    data = register_dataset((pixels, labels), label="Digits of 8 pixels")
    save_own(network.name, data.name, tmp_path)
    for registry, name in ((NETWORKS, network.name), (DATASETS, data.name)):
        registry.discard(name)
    names = load_own(tmp_path)
    assert names == (network.name, data.name)
    yield names
    NETWORKS.discard(names[0])
    DATASETS.discard(names[1])
    checkpoints.shipped_model.cache_clear()


@pytest.mark.parametrize("page", PAGES)
def test_every_page_shows_the_network_of_the_owner(own, page):
    at = settled(opened_page(page))
    assert not at.exception
    if page in ("explore", "inside", "sensitivity", "retrain", "agreement"):
        selected = {box.label: box.value for box in at.sidebar.selectbox}
        assert (selected["Network"], selected["Dataset"]) == own
    if page == "explore":
        assert numbers(at)["Sparsity"] == "50.00%"


def test_a_method_without_units_is_not_offered(own):
    at = settled(opened_page("explore", method="layer"))
    assert not at.exception
    [method] = [box for box in at.sidebar.selectbox if box.label == "Method"]
    assert "Layers" not in method.options and method.value == "weight"
    assert "no layers that can be removed: choose from weight" in warning(at)


@pytest.mark.parametrize("part", ["forgotten", "image", "units", "classes"])
def test_every_part_of_inside_shows_images_of_numbers(own, part):
    at = settled(opened_page("inside", show=part))
    assert not at.exception
