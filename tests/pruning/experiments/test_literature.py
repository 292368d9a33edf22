import pytest

from pruning.cost.macs import dense_cost
from pruning.experiments.literature import PUBLISHED, results_for
from pruning.methods.units import METHODS
from pruning.models.checkpoints import shipped


@pytest.mark.parametrize("result", PUBLISHED, ids=lambda r: f"{r.network}-{r.accuracy}")
def test_published_results_are_of_our_networks_with_source_and_difference(result):
    assert (result.network, result.dataset) in shipped() and result.method in METHODS
    assert (result.compression is None) != (result.macs is None)
    assert result.source and "retrain" in result.remark
    assert 0.9 < result.accuracy < 1 and 0.9 < result.base < 1
    assert result in results_for(result.network, result.dataset)


def test_results_are_found_by_network_and_dataset():
    [han] = results_for("lenet300", "mnist")
    assert (han.compression, han.accuracy, han.source) == (12.0, 0.9841, "Han et al. 2015")
    assert results_for("lenet300", "digits") == []


def test_the_network_is_that_of_the_publication():
    assert dense_cost("resnet20", "cifar10").macs == 40_813_184
