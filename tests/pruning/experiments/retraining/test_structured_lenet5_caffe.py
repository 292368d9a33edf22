import pytest

from pruning.cost.macs import Cost
from pruning.engine.apply_step import surviving_units
from pruning.engine.prune import prune
from pruning.experiments.retraining.base import FinishedRun
from pruning.experiments.retraining.published import LENET5_CAFFE_UNITS
from pruning.experiments.retraining.structured_lenet5_caffe import (
    seeds_of,
    structured_lenet5_caffe,
)
from tests.pruning.experiments.retraining.common import finished


@pytest.mark.parametrize("published", LENET5_CAFFE_UNITS, ids=lambda item: item.source)
def test_as_many_units_are_left_as_in_the_published_network(published):
    [spec] = seeds_of(published, 1)
    units = surviving_units(prune(spec.recipe).network, spec.recipe)
    left = {name: int(survives.sum()) for name, survives in units.items()}
    assert left == {"conv1": published.conv1, "conv2": published.conv2, "fc1": published.fc1}


def test_measured_and_published_units_stand_side_by_side(monkeypatch):
    published = LENET5_CAFFE_UNITS[0]
    left = {"conv1": 3, "conv2": 18, "fc1": 283}
    monkeypatch.setattr(FinishedRun, "units_left", lambda run: left)
    monkeypatch.setattr(FinishedRun, "effective", Cost(12_345, 67_890))
    runs = {}
    for spec, accuracy in zip(seeds_of(published, 2), (0.99, 0.98), strict=True):
        runs[spec] = finished(spec, accuracy)
    [table] = structured_lenet5_caffe(runs, 2)
    assert table.frame.iloc[1].to_dict() == {
        "units left": "3-18-288-283",
        "parameters": "12,345",
        "MACs": "67,890",
        "test error, %": "1.50 ± 0.71",
        "runs": "2",
        "published units": "3-18-284-283",
        "published test error, %": "0.9",
        "source": "SBP: Neklyudov et al. 2017",
    }
    assert table.frame.iloc[2][["units left", "runs"]].tolist() == ["missing", "0"]
    assert table.frame.iloc[0]["parameters"] == "431,080"
