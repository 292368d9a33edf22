import base64
import io

import numpy as np
import pytest
from PIL import Image

from pruning import experiment
from pruning.figures import curve, heatmap, histogram, mask, style
from pruning.recipe import Recipe

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
    z = heatmap.heatmap({"fc1": many, "fc2": few}).data[0]
    assert z.z.shape == (2, heatmap.COLUMNS) and (z.zmin, z.zmax) == (0, 1)
    np.testing.assert_allclose(z.z[0], many.reshape(60, 5).mean(1), rtol=1e-5)
    np.testing.assert_allclose(z.z[1], np.repeat(few, 20))
    assert z.customdata[0][0] == "unit 0 to 4 of 300" and z.customdata[1][0] == "unit 0 of 3"
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


KEPT, REMOVED = (tuple(int(c[i:i + 2], 16) for i in (1, 3, 5)) for c in (style.KEPT, style.REMOVED))


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
            kernel = image[into * 6:into * 6 + 5, out * 6:out * 6 + 5]
            np.testing.assert_array_equal((kernel[..., :3] == KEPT).all(-1), kept[out, into])
    assert (image[5] [..., 3] == 0).all()  # the lines between kernels show the page


def test_a_huge_layer_is_shrunk_to_shares():
    kept = np.zeros((1500, 2100), bool)
    kept[:750] = True
    image = picture(mask.mask(kept))
    assert image.shape == (1000, 1000, 4)
    assert (image[0, :, :3] == KEPT).all() and (image[-1, :, :3] == REMOVED).all()


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
    assert list(line.x) == sorted(line.x) and list(line.y) == [dense.accuracy.value, now.accuracy.value]
    assert line.error_y.array is None and visited.error_y.array[0] > 0 and visited.error_y.arrayminus[0] > 0
    assert list(here.x) == [now.sparsity] and line.line.color == style.METHOD["weight"]
    assert all(titles(figure)) and "50.0% removed" in curve.alt([now])
    assert len(curve.curve(line=[], visited=[], now=None).data) == 0
