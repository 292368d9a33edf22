import pytest

from pruning.experiments.run_table import RunNode
from pruning.figures.runs import (
    RunPoint,
    alt_of_run_comparison,
    alt_of_run_map,
    run_comparison,
    run_map_figure,
)

NODES = [
    RunNode("lenet5 mnist", "lenet5 mnist", "", 0, 0.99, False),
    RunNode("a", "Fine-tune, 90%", "lenet5 mnist", 1, 0.98, True),
    RunNode("b", "Iterative, 95%", "a", 2, None, True),
    RunNode("c", "Gradual, 50%", "lenet5 mnist", 1, 0.97, True),
]
POINTS = [
    RunPoint("a", "Fine-tune", 10.0, 5, 0.98),
    RunPoint("b", "Fine-tune", 20.0, 9, 0.97),
    RunPoint("pruned", "Pruned", 10.0, 0, 0.5),
]


def test_each_run_is_linked_to_what_it_was_made_from():
    edges, dense, runs = run_map_figure(NODES).data
    places = dict(zip(runs.customdata, zip(runs.x, runs.y, strict=True), strict=True))
    places |= dict(zip(dense.customdata, zip(dense.x, dense.y, strict=True), strict=True))
    drawn = set()
    for start in range(0, len(edges.x), 4):  # parent, corner, run, gap
        corner, end = start + 1, start + 2
        assert (edges.x[corner], edges.y[corner]) == (edges.x[start], edges.y[end])
        drawn.add((edges.x[start], edges.y[start], edges.x[end], edges.y[end]))
    expected = {(*places[node.parent], *places[node.name]) for node in NODES if node.parent}
    assert drawn == expected
    assert len(set(places.values())) == len(NODES)


def test_the_map_is_described():
    assert "Iterative, 95% from a" in alt_of_run_map(NODES)
    assert "no runs" in alt_of_run_map([])


@pytest.mark.parametrize("x, values", [("compression", (10, 20)), ("epochs", (5, 9))])
def test_points_of_a_kind_are_a_trace(x, values):
    figure = run_comparison(POINTS, x, 0.99)
    by_name = {trace.name: trace for trace in figure.data}
    assert tuple(by_name["Fine-tune"].x) == values
    assert tuple(by_name["Fine-tune"].y) == (0.98, 0.97)
    assert figure.layout.shapes[0].y0 == 0.99


def test_the_comparison_is_described():
    assert "Pruned 50.00% at 10" in alt_of_run_comparison(POINTS, "compression")
    assert "no finished runs" in alt_of_run_comparison([], "epochs")
