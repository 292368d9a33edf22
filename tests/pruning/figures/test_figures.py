import base64
import io

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from PIL import Image

from pruning.engine import prune as experiment
from pruning.figures import curve, heatmap, histogram, mask, matrix
from pruning.figures import parts as style
from pruning.figures import unit_inspector as unit
from pruning.figures.html_page import page
from pruning.recipe.recipe import Recipe

RANDOM = np.random.default_rng(0)


def titles(figure):
    return figure.layout.xaxis.title.text, figure.layout.yaxis.title.text


@pytest.mark.parametrize("log", [False, True])
def test_histogram_counts_every_weight(log):
    weights = RANDOM.normal(size=5_000)
    kept = np.abs(weights) >= 0.5
    figure = histogram.histogram(weights, kept, threshold=0.5, log=log)
    everything, alive = figure.data
    assert everything.y[::2].sum() == 5_000 and alive.y[::2].sum() == kept.sum()
    assert (everything.line.color, alive.line.color) == (style.REMOVED, style.KEPT)
    assert [line.x0 for line in figure.layout.shapes] == [-0.5, 0.5]
    assert figure.layout.yaxis.type == ("log" if log else "linear") and all(titles(figure))
    assert len(figure.to_json()) < 20_000  # binned here: the browser never gets the weights


def test_histogram_of_constant_weights():
    zeros = np.zeros(10)
    assert histogram.histogram(zeros, zeros > 0).data[0].y.sum() == 20
    assert "0 kept, 10 removed" in histogram.alt(zeros, zeros > 0, "fc1")


def test_heatmap_bins_many_units_and_repeats_few():
    many, few = RANDOM.random(300), np.array([0.0, 1.0, 0.5])
    z, clicks, mark = heatmap.heatmap({"fc1": many, "fc2": few}, chosen=("fc1", 12)).data
    assert z.z.shape == (2, heatmap.COLUMNS) and (z.zmin, z.zmax) == (0, 1)
    np.testing.assert_allclose(z.z[0], many.reshape(60, 5).mean(1), rtol=1e-5)
    np.testing.assert_allclose(z.z[1], np.repeat(few, 20))
    assert (
        len(clicks.x) == 63
        and list(clicks.customdata[0]) == ["fc1", 0]
        and list(clicks.customdata[60]) == ["fc2", 0]
    )
    assert (
        clicks.text[0].startswith("fc1, unit 0 to 4 of 300")
        and clicks.text[61] == "fc2, unit 1 of 3: 100.0% removed"
    )
    assert (
        list(clicks.x[60:]) == [9.5, 29.5, 49.5] and list(mark.x) == [2] and list(mark.y) == ["fc1"]
    )
    assert "fc2 50% (unit by unit 0% to 100%)" in heatmap.alt({"fc2": few})


@pytest.mark.parametrize("units", [1, 59, 60, 61, 119, 1000])
def test_every_unit_is_in_the_heatmap(units):
    values = np.zeros(units)
    for unit in (0, units // 2, units - 1):
        values[:] = 0
        values[unit] = 1
        assert heatmap.heatmap({"fc": values}).data[0].z.max() > 0


def picture(figure) -> np.ndarray:
    source = figure.data[0].source.partition(",")[2]
    return np.array(Image.open(io.BytesIO(base64.b64decode(source))).convert("RGBA"))


KEPT, REMOVED = (
    tuple(int(c[i : i + 2], 16) for i in (1, 3, 5)) for c in (style.KEPT, style.REMOVED)
)


def test_a_linear_layers_mask_is_its_matrix():
    kept = RANDOM.random((20, 30)) < 0.5
    image = picture(mask.mask(kept))
    assert image.shape == (20, 30, 4)
    np.testing.assert_array_equal((image[..., :3] == KEPT).all(-1), kept)
    np.testing.assert_array_equal((image[..., :3] == REMOVED).all(-1), ~kept)


def test_a_convolutions_mask_is_a_grid_of_kernels():
    kept = RANDOM.random((4, 3, 5, 5)) < 0.5
    image = picture(mask.mask(kept))
    assert image.shape == (3 * 6 - 1, 4 * 6 - 1, 4)
    for out in range(4):
        for into in range(3):
            kernel = image[into * 6 : into * 6 + 5, out * 6 : out * 6 + 5]
            np.testing.assert_array_equal((kernel[..., :3] == KEPT).all(-1), kept[out, into])
    assert (image[5][..., 3] == 0).all()  # the lines between kernels show the page


def test_a_huge_layer_is_shrunk_to_shares():
    kept = np.zeros((1500, 2100), bool)
    kept[:750] = True
    image = picture(mask.mask(kept))
    assert image.shape == (1000, 1000, 4)
    assert (image[0, :, :3] == KEPT).all() and (image[-1, :, :3] == REMOVED).all()


def test_units_of_a_mask_can_be_clicked():
    for kept in (RANDOM.random((4, 3, 5, 5)) < 0.5, RANDOM.random((20, 30)) < 0.5):
        clicks = mask.mask(kept, "conv2").data[1]
        assert [list(c) for c in clicks.customdata] == [["conv2", i] for i in range(len(kept))]
        assert clicks.text[1] == f"conv2 unit 1: {1 - kept[1].mean():.1%} removed"


def test_removed_pixels_are_orange_over_the_image():
    image, kept = np.full((3, 32, 32), 100, np.uint8), np.ones((1, 32, 32), bool)
    kept[0, 5, 7] = False
    shown = picture(mask.image(image, kept))[..., :3]
    assert shown.shape == (256, 256, 3) and (shown[0, 0] == 100).all()
    np.testing.assert_allclose(shown[44, 60], 0.15 * 100 + 0.85 * np.array(REMOVED), atol=1)
    assert mask.image(image, kept).data[1].text[5 * 32 + 7] == "row 5, column 7: 100% removed"


def test_scores_of_pixels_and_bars_of_layers():
    scores = RANDOM.random((3, 4, 4))
    np.testing.assert_allclose(heatmap.pixels(scores).data[0].z, scores.mean(0), rtol=1e-6)
    removed, kept = histogram.bars({"fc1": (0.5, True), "fc2": (0.1, False)}, title="score").data
    assert (list(removed.y), list(removed.x), removed.marker.color) == (
        ["fc2"],
        [0.1],
        style.REMOVED,
    )
    assert (list(kept.y), list(kept.x), kept.marker.color) == (["fc1"], [0.5], style.KEPT)


def test_histogram_of_scores_has_one_threshold_and_no_mirror():
    scores = RANDOM.exponential(size=3_000)
    figure = histogram.histogram(
        scores, scores >= 0.5, threshold=0.5, mirrored=False, title="score"
    )
    assert figure.data[0].y[::2].sum() == 3_000 and [line.x0 for line in figure.layout.shapes] == [
        0.5
    ]
    assert figure.data[0].x[0] == np.float32(scores.min())
    assert histogram.histogram(np.empty(0), np.empty(0, bool)).data[0].y.sum() == 0


def test_a_unit_by_its_weights_and_activations():
    kernels = RANDOM.normal(size=(20, 3, 3))
    shown = unit.weights(kernels).data[0].z
    assert shown.shape == (3, unit.MOST * 4 - 1) and np.isnan(shown[:, 3]).all()
    np.testing.assert_allclose(shown[:, 4:7], kernels[1], rtol=1e-6)
    assert (
        list(unit.weights(kernels.ravel()).data[0].y) == kernels.ravel().astype(np.float32).tolist()
    )
    images = RANDOM.integers(0, 255, (6, 1, 28, 28))
    pictures, numbers = unit.activations(images, np.arange(6.0)).data
    assert pictures.z.shape == (28, 180) and list(numbers.y) == [0, 1, 2, 3, 4, 5]
    _, maps = unit.activations(images, RANDOM.random((6, 5, 5))).data
    assert maps.z.shape == (28, 180)


def test_a_matrix_leaves_out_what_is_unknown():
    table = pd.DataFrame([[1.0, np.nan], [np.nan, 1.0]], ["a", "b"], ["a", "b"])
    figure = matrix.matrix(table, title="overlap", low=0)
    assert list(figure.data[0].text[0]) == ["1.00", "–"] and (
        figure.data[0].zmin,
        figure.data[0].zmax,
    ) == (0, 1)
    assert all(titles(figure))
    assert "a and b nan" in matrix.alt(table, "overlap")


def test_pixels_of_the_first_linear_layer():
    kept = np.ones((300, 784), bool)
    kept[:150, 28 * 3 + 5] = False
    z = mask.pixels(kept, 1, 28).data[0].z
    assert z.shape == (28, 28) and z[3, 5] == 0.5 and z.sum() == 0.5
    colour = np.ones((300, 3 * 32 * 32), bool)
    colour[:, 0] = False
    assert mask.pixels(colour, 3, 32).data[0].z[0, 0] == pytest.approx(1 / 3)


def test_curve_shows_the_points_it_is_given():
    recipe = Recipe("lenet300", "digits")
    dense, now = experiment.run(Recipe("lenet300", "digits", value=0.0)), experiment.run(recipe)
    some = experiment.run(Recipe("lenet300", "digits", value=0.9, images=100))
    figure = curve.curve(line=[now, dense], visited=[some], now=now)
    line, visited, here = figure.data
    assert list(line.x) == sorted(line.x) and list(line.y) == [
        dense.accuracy.value,
        now.accuracy.value,
    ]
    assert (
        line.error_y.array is None
        and visited.error_y.array[0] > 0
        and visited.error_y.arrayminus[0] > 0
    )
    assert list(here.x) == [now.sparsity] and line.line.color == style.METHOD["weight"]
    assert all(titles(figure)) and "50.0% removed" in curve.alt([now])
    assert len(curve.curve(line=[], visited=[], now=None).data) == 0


def test_a_page_of_figures_needs_nothing_else():
    first, second = (go.Figure([{"type": "scatter", "y": [n]}]) for n in (41, 42))
    text = page("A <b> title", {"One & two": first, "Three": second})
    assert text.count("<h2>") == 2 and "One &amp; two" in text and "A &lt;b&gt; title" in text
    assert (
        text.count("plotly.js v") == 1
        and "<script src=" not in text
        and "[41]" in text
        and "[42]" in text
    )
