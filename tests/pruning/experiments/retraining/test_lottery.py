import pytest

from pruning.cost.macs import dense_cost
from pruning.experiments.retraining.lottery import (
    EPOCHS,
    ROUNDS,
    SERIES,
    SHOWN_ROUNDS,
    lottery,
    specs,
)
from pruning.training.schedules import SCHEDULES
from tests.pruning.experiments.retraining.common import finished, record


def test_a_round_removes_a_fifth_of_hidden_layers_and_a_tenth_of_the_output_layer():
    [spec] = specs(1)
    step = spec.recipe.last_step
    assert (1 - step.value) ** (1 / ROUNDS) == pytest.approx(0.8, abs=1e-5)
    assert (1 - dict(step.values)["fc3"]) ** (1 / ROUNDS) == pytest.approx(0.9, abs=1e-5)
    assert SCHEDULES["lottery"].total_epochs(spec) == EPOCHS * (1 + 3 * ROUNDS)


def test_shown_rounds_leave_what_is_published():
    weights = {layer.name: layer.weights for layer in dense_cost("lenet300", "mnist").layers}
    output = weights.pop("fc3")
    hidden = sum(weights.values())
    for number, percent in zip(SHOWN_ROUNDS, (51.3, 21.1, 3.6), strict=True):
        left = hidden * 0.8**number + output * 0.9**number
        assert 100 * left / (hidden + output) == pytest.approx(percent, abs=0.06)


def records_of(accuracy_of):
    """Records of every training in the order of the schedule."""
    trainings = [(0, "")]
    for number in range(1, ROUNDS + 1):
        for series in SERIES:
            trainings.append((number, series))
    records = []
    for number, series in trainings:
        for epoch in range(EPOCHS):
            accuracy = accuracy_of(number, series, epoch)
            values = {"round": number, "series": series, "validation_accuracy": accuracy}
            new = record(len(records) + 1, sparsity=number / 20, **values)
            records.append(new)
    return records


def test_accuracies_stand_in_the_row_of_their_round_and_series():
    def accuracy_of(number, series, epoch):
        return number / 100 + list(SERIES).index(series) / 1000 + epoch / 10

    spec, other = specs(2)
    runs = {}
    for item in (spec, other):
        runs[item] = finished(item, records=records_of(accuracy_of))
    table, remark = lottery(runs, 2)
    assert len(table.frame) == 1 + 3 * len(SHOWN_ROUNDS)
    first, last = table.frame.iloc[0], table.frame.iloc[-1]
    assert (first["network"], first["weights left, %"]) == ("dense", "100.0")
    assert first["100 steps"] == "0.00 ± 0.00"
    assert (last["network"], last["weights left, %"]) == ("random mask", "25.0")
    assert last["200 steps"] == "25.20 ± 0.00"  # round 15, third series, second epoch
    assert remark == "Finished runs: 2 of 2."


def test_the_spread_is_over_the_seeds():
    runs = {}
    for item in specs(2):
        accuracy = 0.5 + item.seed / 10
        runs[item] = finished(item, records=records_of(lambda *_, value=accuracy: value))
    table, _ = lottery(runs, 3)
    assert table.frame.iloc[4]["100 steps"] == "55.00 ± 7.07"
