import numpy as np
import pytest

from pruning.figures import parts
from pruning.figures.histogram import alt_of_histogram, histogram
from tests.pruning.figures.common import titles

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("log", [False, True])
def test_every_weight_is_counted(log):
    weights = RANDOM.normal(size=5_000)
    kept = np.abs(weights) >= 0.5
    figure = histogram(weights, kept, threshold=0.5, log=log)
    everything, remaining = figure.data
    assert everything.y[::2].sum() == 5_000 and remaining.y[::2].sum() == kept.sum()
    assert (everything.line.color, remaining.line.color) == (parts.REMOVED, parts.KEPT)
    assert (everything.x.dtype, everything.y.dtype) == (np.float32, np.int32)
    assert [line.x0 for line in figure.layout.shapes] == [-0.5, 0.5]
    assert figure.layout.yaxis.type == ("log" if log else "linear") and all(titles(figure))
    assert len(figure.to_json()) < 20_000  # binned here: the browser never gets the weights


def test_the_axis_title_is_short_and_the_hover_text_tells_of_outliers():
    weights = RANDOM.normal(size=100)
    figure = histogram(weights, weights > 0)
    assert titles(figure)[0] == "weight"
    assert all("largest 0.1%" in trace.hovertemplate for trace in figure.data)


def test_constant_weights():
    zeros = np.zeros(10)
    assert histogram(zeros, zeros > 0).data[0].y.sum() == 20
    assert "0 kept, 10 removed" in alt_of_histogram(zeros, zeros > 0, "fc1")


def test_scores_have_one_threshold_and_no_mirror():
    scores = RANDOM.exponential(size=3_000)
    figure = histogram(scores, scores >= 0.5, threshold=0.5, mirrored=False, title="score")
    assert figure.data[0].y[::2].sum() == 3_000
    assert [line.x0 for line in figure.layout.shapes] == [0.5]
    assert figure.data[0].x[0] == np.float32(scores.min())


def test_no_values():
    nothing = np.empty(0)
    assert histogram(nothing, np.empty(0, bool)).data[0].y.sum() == 0
    alt = alt_of_histogram(nothing, np.empty(0, bool), "all layers", "filter scores")
    assert alt == "Histogram of the 0 filter scores of all layers: 0 kept, 0 removed."


def test_what_another_network_keeps_is_an_outline_in_the_same_bins():
    values = np.random.default_rng(0).normal(size=5000).astype(np.float32)
    kept_in_a = values[np.abs(values) > 0.5]
    figure = histogram(values, np.abs(values) > 1, kept_in_a=kept_in_a)
    everything, _, outline = figure.data
    assert outline.name == "kept in A" and outline.fill == "none"
    np.testing.assert_array_equal(outline.x, everything.x)
    assert sum(outline.y) == 2 * len(kept_in_a)  # two corners for each bin
