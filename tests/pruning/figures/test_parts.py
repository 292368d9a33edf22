import pytest

from pruning.figures import parts
from pruning.inference.accuracy import Accuracy


def test_every_curve_of_a_figure_has_a_colour_of_its_own():
    assert len(set(parts.CURVE_COLOURS)) == len(parts.CURVE_COLOURS) == 12


def test_confidence_bars_of_estimates_only():
    complete, estimate = Accuracy(90, 100, 100), Accuracy(90, 100, 1000)
    assert parts.confidence_bars([]) is None
    assert parts.confidence_bars([complete, complete]) is None
    bars = parts.confidence_bars([complete, estimate])
    low, high = estimate.interval
    assert bars["array"] == pytest.approx([0, high - 0.9])
    assert bars["arrayminus"] == pytest.approx([0, 0.9 - low])


@pytest.mark.parametrize(
    "names, rows",
    [
        ([], 1),
        (["short"], 1),
        (["short"] * 3, 1),
        (["1. Weights", "2. Filters", "3. Neurons", "4. Layers"], 2),
        (["1. Weights, Magnitude"] * 4, 4),
        (["1. Weights, Magnitude"] * 6, 6),
        (["a name of very many characters, more than fit into one line of a phone"] * 2, 2),
    ],
)
def test_the_legend_gets_one_row_for_each_long_name(names, rows):
    assert parts.legend_height(names) == rows * parts.LEGEND_ROW_HEIGHT


def test_a_layout_gives_every_margin():
    layout = parts.layout(x={"title": "a"}, y={"title": "b"}, height=300, shapes=[])
    assert layout["margin"] == {"l": 62, "r": 12, "t": 34, "b": 50, "autoexpand": False}
    assert layout["xaxis"]["title"]["text"] == "a" and layout["yaxis"]["title"]["text"] == "b"
    assert layout["height"] == 300 and layout["shapes"] == []


def test_descriptions_are_joined():
    assert parts.join_descriptions(["a", "b"], "none") == "a; b"
    assert parts.join_descriptions([], "none") == "none"
