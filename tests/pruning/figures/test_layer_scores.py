from pruning.figures import parts
from pruning.figures.layer_scores import ScoredLayer, alt_of_layer_scores, layer_scores
from tests.pruning.figures.common import titles

LAYERS = {"fc1": ScoredLayer(0.5, kept=True), "fc2": ScoredLayer(0.1, kept=False)}


def test_a_bar_for_each_layer():
    figure = layer_scores(LAYERS, title="score")
    removed, kept = figure.data
    assert (list(removed.y), list(removed.x)) == (["fc2"], [0.1])
    assert (list(kept.y), list(kept.x)) == (["fc1"], [0.5])
    assert (removed.marker.color, kept.marker.color) == (parts.REMOVED, parts.KEPT)
    assert list(figure.layout.yaxis.categoryarray) == ["fc2", "fc1"]  # from below
    assert titles(figure) == ("score", "layer")


def test_alt():
    assert alt_of_layer_scores(LAYERS) == "Scores: fc1 0.5, kept; fc2 0.1, removed."
