import pytest

from pruning.experiments.published_one_shot import PUBLISHED_ONE_SHOT, published_one_shot
from pruning.models import build, prunable
from pruning.models.checkpoints import shipped

WEIGHTS = {"resnet20": 268_336, "mlpnet": 32_360}
"""Number of weights that are pruned in the publication."""


@pytest.mark.parametrize("published", PUBLISHED_ONE_SHOT, ids=lambda item: item.network)
def test_published_accuracies_are_of_shipped_networks_and_complete(published):
    pair = (published.network, published.dataset)
    assert pair in shipped() and published_one_shot(*pair) is published
    assert list(published.sparsities) == sorted(set(published.sparsities))
    assert list(published.accuracies) == ["MP", "WoodFisher", "CBS", "CHITA", "CHITA++"]
    for accuracies in published.accuracies.values():
        assert len(accuracies) == len(published.sparsities)
        assert all(0.1 < accuracy < 1 for accuracy in accuracies)


@pytest.mark.parametrize("published", PUBLISHED_ONE_SHOT, ids=lambda item: item.network)
def test_as_many_weights_take_part_as_in_the_publication(published):
    channels, size = (3, 32) if published.dataset == "cifar10" else (1, 28)
    layers = prunable(build(published.network, channels=channels, size=size))
    for name in published.kept_layers:
        layers.pop(name)
    weights = sum(layer.weight.numel() for layer in layers.values())
    assert weights == WEIGHTS[published.network]


def test_other_networks_have_none():
    assert published_one_shot("lenet5", "mnist") is None
    assert published_one_shot("mlpnet", "digits") is None
