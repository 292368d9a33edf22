import pytest

from pruning.training.retrain import retrain
from pruning.training.run_files import RunFiles
from tests.pruning.training.common import small_spec

OFTEN = (("interval", 2), ("pruning_share", 1.0))


@pytest.mark.slow
def test_the_target_is_met_while_validation_improves(tmp_path):
    spec = small_spec(
        "gradient", criterion="taylor", value=0.5, epochs=3, options=(*OFTEN, ("patience", 100))
    )
    retrain(spec, folder=tmp_path, device="cpu")
    records = RunFiles(spec.name, tmp_path).records()
    assert records[0].sparsity < records[1].sparsity < records[2].sparsity
    assert abs(records[-1].sparsity - 0.5) < 0.02


def test_pruning_stops_when_validation_stops_improving(tmp_path):
    spec = small_spec("gradient", value=0.999, epochs=8, options=(*OFTEN, ("patience", 1)))
    retrain(spec, folder=tmp_path, device="cpu")
    records = RunFiles(spec.name, tmp_path).records()
    accuracies = [record.validation_accuracy for record in records]
    first_stop = next(
        epoch for epoch in range(1, 8) if max(accuracies[:epoch]) >= accuracies[epoch]
    )
    if first_stop + 1 < len(records):  # no further pruning in the epoch after it
        after, later = records[first_stop], records[first_stop + 1]
        is_paused = later.sparsity == after.sparsity
        assert is_paused or accuracies[first_stop] > max(accuracies[:first_stop])
    assert records[-1].sparsity < 0.999
