import pytest

from pruning.figures.training_curves import alt_of_training_curves, training_curves
from tests.pruning.figures.run_records import record

RECORDS = [record(epoch) for epoch in (1, 2, 3)]


def test_every_quantity_is_drawn_against_the_epoch():
    figure = training_curves(RECORDS, 5, 0.95)
    by_name = {trace.name: trace for trace in figure.data}
    assert list(by_name["validation"].y) == pytest.approx([0.81, 0.82, 0.83])
    assert list(by_name["loss"].y) == [1, 1 / 2, 1 / 3]
    assert list(by_name["sparsity"].y) == [0.1, 0.2, 0.3]
    assert list(by_name["learning rate"].y) == [0.1, 0.05, 0.1 / 3]
    assert all(list(trace.x) == [1, 2, 3] for trace in figure.data)
    assert figure.layout.xaxis.range == (0.5, 5.5)
    assert figure.layout.shapes[0].y0 == 0.95


def test_controls_are_lines_of_their_own():
    records = [record(1), record(2, "random mask"), record(3, "random mask")]
    names = [trace.name for trace in training_curves(records, 3, 0.9).data]
    assert "validation" in names and "validation, random mask" in names


def test_the_description_names_first_and_last():
    text = alt_of_training_curves(RECORDS)
    assert "3 epochs" in text and "81.00% to 83.00%" in text and "10.0% to 30.0%" in text
    assert "no epoch is finished" in alt_of_training_curves([])
