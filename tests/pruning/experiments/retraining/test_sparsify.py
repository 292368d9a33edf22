from pruning.experiments.retraining.sparsify import SETTINGS, seeds_of, sparsify, specs
from tests.pruning.experiments.retraining.common import finished, record


def test_the_penalty_is_the_only_one_and_the_threshold_is_that_of_the_records():
    for spec in specs(1):
        assert spec.weight_decay == 0 and spec.option("epochs_after") == 0
        assert (spec.recipe.last_step.rule, spec.recipe.last_step.value) == ("threshold", 0.001)


def test_one_row_without_a_penalty_and_one_for_each_strength():
    strengths = [strength for _, strength in SETTINGS]
    assert strengths.count(0.0) == 1
    assert {strengths.count(value) for value in set(strengths) - {0.0}} == {3}


def test_a_row_has_the_last_epoch_and_the_accuracy_after_pruning():
    penalty, strength = SETTINGS[1]
    first, second = seeds_of(penalty, strength, 2)
    runs = {}
    for spec, share in ((first, 0.2), (second, 0.4)):
        records = [
            record(1, near_zero=0.9, validation_accuracy=0.1),
            record(2, near_zero=share, validation_accuracy=0.8),
        ]
        runs[spec] = finished(spec, 0.7, 0.75, records)
    dense, table = sparsify(runs, 2)
    row = table.frame.iloc[1]
    assert row["near zero, %"] == "30.00 ± 14.14"
    assert row["before pruning, validation"] == "80.00 ± 0.00"
    assert row["after pruning, validation"] == "75.00 ± 0.00"
    assert row["after pruning, test"] == "70.00 ± 0.00"
    assert (row["penalty"], row["λ"], row["runs"]) == ("L1", "1e-05", "2")
    assert table.frame.iloc[0][["penalty", "λ", "runs"]].tolist() == ["none", "0", "0"]
    assert "test accuracy of 99.26 %" in dense
