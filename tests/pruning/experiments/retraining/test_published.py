import pytest

from pruning.experiments.retraining.published import (
    LENET5_CAFFE_UNITS,
    LENET_RECORDS,
    RENDA,
    RENDA_DENSE,
    resnet20_filters,
)
from pruning.models.checkpoints import shipped


def test_records_are_of_shipped_networks_with_small_errors_and_a_source():
    for entry in LENET_RECORDS:
        assert (entry.network, "mnist") in shipped()
        assert 1 < entry.compression <= 310 and 0.005 < entry.error < 0.03 and entry.source


def test_published_units_are_fewer_than_those_of_the_dense_network():
    for published in LENET5_CAFFE_UNITS:
        units = (published.conv1, published.conv2, published.inputs, published.fc1)
        for left, dense in zip(units, (20, 50, 800, 500), strict=True):
            assert 0 < left < dense
        assert published.inputs <= 16 * published.conv2


def test_fewer_weights_give_a_lower_published_accuracy():
    densities = [published.density for published in RENDA]
    accuracies = [published.accuracy for published in RENDA]
    assert densities == sorted(densities, reverse=True)
    assert accuracies == sorted(accuracies, reverse=True) and accuracies[0] < RENDA_DENSE


def test_filters_are_those_of_sfp_and_distiller_with_their_share_of_the_macs():
    results = resnet20_filters()
    assert {result.method for result in results} == {"filter"}
    shares = [result.macs for result in results if result.source.startswith("Distiller")]
    assert shares == pytest.approx([0.7512, 0.6057], abs=1e-4)
    assert len(results) > len(shares)
