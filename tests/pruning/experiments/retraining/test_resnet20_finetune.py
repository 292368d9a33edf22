import pytest

from pruning.cost.macs import Cost, dense_cost
from pruning.engine.prune import prune
from pruning.experiments.retraining.base import FinishedRun
from pruning.experiments.retraining.resnet20_finetune import (
    filter_specs,
    resnet20_finetune,
    specs,
    weight_specs,
)
from pruning.models.checkpoints import shared_card
from tests.pruning.experiments.retraining.common import finished


def test_settings_are_the_usual_ones():
    for spec in specs(1):
        assert (spec.schedule, spec.epochs, spec.batch_size) == ("finetune", 10, 128)
        assert (spec.learning_rate, spec.weight_decay) == (0.05, 5e-4)


def test_filters_leave_about_half_of_the_macs():
    [spec] = filter_specs(1)
    left = prune(spec.recipe).effective.macs / dense_cost("resnet20", "cifar10").macs
    assert left == pytest.approx(0.5, abs=0.02)


def test_lost_points_are_relative_to_the_own_dense_network(monkeypatch):
    dense = shared_card("resnet20", "cifar10").test_accuracy
    macs = dense_cost("resnet20", "cifar10").macs
    monkeypatch.setattr(FinishedRun, "effective", Cost(1, macs // 4))
    [weights], [filters] = weight_specs(0.21, 1), filter_specs(1)
    runs = {weights: finished(weights, dense - 0.01), filters: finished(filters, dense - 0.02)}
    weight_table, filter_table = resnet20_finetune(runs, 1)
    row = weight_table.frame.set_index("weights left").loc["0.21"]
    assert (row["accuracy"], row["lost"]) == (f"{100 * dense - 1:.2f}", "1.00")
    assert (row["published"], row["published, lost"]) == ("89.30", "2.41")
    own = filter_table.frame.iloc[0]
    assert (own["source"], own["MACs left, %"], own["lost"]) == ("measured", "25.0", "2.00")
    others = filter_table.frame.iloc[1:]
    assert others["source"].str.startswith("published: ").all()
    assert "90.83" in others["accuracy"].tolist() and "1.37" in others["lost"].tolist()
